"""One account: its state, and its connections as the ledger has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from litestar import Response
from litestar.response.sse import ServerSentEvent

from mooring.dashboard.doors import Req, Visit, identifier, page, route
from mooring.dashboard.pages import drawn, shown
from mooring.dashboard.services import Services
from mooring.dashboard.streams import Pieces, seen, stream
from mooring.dashboard.timeline import Timeline, timeline
from mooring.dashboard.views import AccountView, ConnectionView, account_view, connection_view
from mooring.errors import InvalidRequest
from mooring.grants import Grant
from mooring.operators import Operator, require_sight

LISTED = 25
"""Connections on a page."""
PICTURED = 200
"""Connections in the picture of the first page."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Some connections of an account.

    Attributes:
        picture: None where there are none.
        is_first: whether they are the newest.
        next: where the page after this one begins; "" where there is none.
    """

    rows: Sequence[ConnectionView]
    picture: Timeline | None
    is_first: bool
    next: str


@page("GET", "/dashboard/accounts/{account_id:str}")
async def account(visit: Visit) -> Response[bytes]:
    grant = await account_of(visit.services, visit.operator, visit.request)
    before = _position(visit.request.query_params.get("before", ""))
    view = await _view(visit.services, grant)
    connections = await _connections(visit.services, grant, before)
    pieces = _pieces(view, connections)
    return shown(
        visit,
        "account.html",
        application=await visit.services.applications.get(grant.application_id),
        account=view,
        connections=connections,
        pieces=pieces,
        seen=seen(pieces),
        live=before is None and visit.request.query_params.get("live") != "off",
    )


@route("GET", "/dashboard/accounts/{account_id:str}/live")
async def live_account(request: Req) -> ServerSentEvent:
    """What changes of the account and its newest connections."""

    async def look(visit: Visit) -> Pieces:
        grant = await account_of(visit.services, visit.operator, request)
        return _pieces(await _view(visit.services, grant), await _connections(visit.services, grant))

    return stream(request, look)


async def account_of(services: Services, operator: Operator, request: Req) -> Grant:
    """The account that the path names.

    Raises:
        NotFound: there is none, or it is not this person's to see.
    """
    grant = await services.grants.get(identifier(request, "account_id"))
    require_sight(operator, grant.application_id)
    return grant


def _pieces(view: AccountView, connections: Connections) -> Pieces:
    """What of a page changes while somebody looks at it."""
    return {
        "state": drawn("_state.html", account=view),
        "connections": drawn("_connections.html", connections=connections),
    }


async def _view(services: Services, grant: Grant) -> AccountView:
    return account_view(grant, await services.sources([grant.subject]), services.addresses)


async def _connections(services: Services, grant: Grant, before: tuple[datetime, str] | None = None) -> Connections:
    """The connections before this one; None for the newest."""
    entries = await services.ledger.entries(
        application_id=grant.application_id,
        subject=grant.subject,
        limit=PICTURED if before is None else LISTED + 1,
        before=before,
    )
    listed = entries[:LISTED]
    pictured = entries if before is None else listed
    return Connections(
        rows=[connection_view(entry) for entry in listed],
        picture=timeline(pictured, _to_the_minute(services.clock.now()) if before is None else before[0]),
        is_first=before is None,
        next=f"{listed[-1].at.isoformat()}~{listed[-1].id}" if len(entries) > LISTED else "",
    )


def _to_the_minute(now: datetime) -> datetime:
    """The end of this minute: the picture is drawn anew when something happened, or a minute has passed."""
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _position(text: str) -> tuple[datetime, str] | None:
    """Where a page of connections begins, as it was written into a link."""
    if not text:
        return None
    at, _, identity = text.partition("~")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), str(UUID(identity))
    except (ValueError, OverflowError):
        raise InvalidRequest(
            "This page of connections does not exist.", hint="Start from the account's newest ones."
        ) from None


ROUTES = (account, live_account)
