"""The addresses that an application's traffic leaves from (spec §6.13)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Single, single, unix
from mooring.api.auth import application_of, owner_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.applications import Application, StaticIps
from mooring.config import Kind
from mooring.errors import InvalidRequest, NoSource
from mooring.moves import Batch

STATIC_LIST = "/v3/static-ips"
NOTE_MAX = 500
"""Characters of the words that go with a request."""

_MEANS = {
    StaticIps.OFF: f"Only authentication leaves by static addresses. POST {STATIC_LIST}/request asks for more.",
    StaticIps.REQUESTED: "The operator has been asked and has not decided yet.",
    StaticIps.ON: f"Everything leaves by static addresses: GET {STATIC_LIST}.",
    StaticIps.DENIED: f"The operator has denied the request. POST {STATIC_LIST}/request asks again.",
}


class StaticListView(msgspec.Struct):
    """The one list that a mail administrator allows."""

    generation: str
    region: str
    version: int | str
    updated_at: int
    ip_addresses: Sequence[str]
    entries: Sequence[Any]


class DynamicListView(msgspec.Struct):
    """Why there is no list of dynamic addresses, and where to look instead."""

    generation: str
    region: str
    message: str
    static_ips: str
    ip_addresses: Sequence[str] = ()


class RequestBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why static addresses are wanted, for the operator who decides; at most ``NOTE_MAX`` characters.

    Attributes:
        organisation: for all applications of the organisation rather than for this one.
    """

    note: str = ""
    organisation: bool = False


class ChangeView(msgspec.Struct):
    """One change of the state: by whom (``application``, or ``operator`` with a name), and why."""

    at: int | None
    before: str
    after: str
    by: str
    note: str


class BatchView(msgspec.Struct):
    """Accounts that move together because of a switch, and how far they are; the latest first.

    Attributes:
        counts: how many moves are in each state.
    """

    id: str
    to: str
    state: str
    by: str
    created_at: int | None
    total: int
    ended: int
    counts: dict[str, int]


class StateView(msgspec.Struct):
    """Where the application stands with its static addresses: ``off``, ``requested``, ``on`` or ``denied``."""

    application_id: str
    state: str
    message: str
    changes: list[ChangeView]
    moves: list[BatchView]


@door("GET", STATIC_LIST, answer=Single[StaticListView])
async def static_ips(request: Req) -> ASGIResponse:
    """The static addresses of the application's region, whether the feature is on or not."""
    application = await application_of(request)
    found = services_of(request).allowlist.static_list(application)
    if not found.version:
        missing = application.environment(Kind.STATIC)
        raise NoSource(
            f"This installation declares no pool {missing}, so there are no addresses to allow",
            reason="unknown_pool",
            hint=f"The operator adds a [[egress.pool]] for {missing}.",
        )
    view = StaticListView(
        generation=str(found.generation),
        region=found.region,
        version=found.version,
        updated_at=found.updated_at,
        ip_addresses=found.ip_addresses,
        entries=found.entries,
    )
    return single(request, view)


@door("GET", "/v3/dynamic-ips", answer=Single[DynamicListView])
async def dynamic_ips(request: Req) -> ASGIResponse:
    """Why v3 has no list of dynamic addresses."""
    application = await application_of(request)
    view = DynamicListView(
        generation=str(application.generation),
        region=application.region,
        message=(
            "v3 has no list of its dynamic addresses: they change without notice, and a firewall rule made of them"
            f" would break. Allow the static addresses instead: GET {STATIC_LIST}."
        ),
        static_ips=STATIC_LIST,
    )
    return single(request, view)


@door("POST", f"{STATIC_LIST}/request", answer=Single[StateView], query=("client_id",), body=RequestBody)
async def request_static_ips(request: Req) -> ASGIResponse:
    """Ask for static addresses outside authentication. Asking again changes nothing."""
    application = await owner_of(request)
    body = await json_of(request, RequestBody) if await request.body() else RequestBody()
    note = body.note.strip()
    if len(note) > NOTE_MAX:
        raise InvalidRequest(f"note has more than {NOTE_MAX} characters.")
    feature = services_of(request).feature
    ask = feature.ask_for_all if body.organisation else feature.ask
    return await _state(request, await ask(application.id, note=note))


@door("GET", f"{STATIC_LIST}/status", answer=Single[StateView], query=("client_id",))
async def static_ips_status(request: Req) -> ASGIResponse:
    """Whether static addresses are on for the application, and who decided that when."""
    return await _state(request, await owner_of(request))


async def _state(request: Req, application: Application) -> ASGIResponse:
    feature = services_of(request).feature
    changes, batches = await feature.changes(application.id), await feature.batches(application.id)
    view = StateView(
        application_id=application.id,
        state=str(application.static_ips),
        message=_MEANS[application.static_ips],
        changes=[ChangeView(unix(c.at), str(c.before), str(c.after), c.by, c.note) for c in changes],
        moves=[_batch_view(batch) for batch in batches],
    )
    return single(request, view)


def _batch_view(batch: Batch) -> BatchView:
    return BatchView(
        id=batch.id,
        to=str(batch.target),
        state=str(batch.state),
        by=batch.by,
        created_at=unix(batch.created_at),
        total=batch.total,
        ended=batch.ended,
        counts={str(state): count for state, count in batch.counts.items()},
    )


ROUTES = (static_ips, dynamic_ips, request_static_ips, static_ips_status)
