"""Servers that are watched until they let our static addresses in, and after (spec B12)."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Done, Listing, Single, done, listing, selected, single
from mooring.api.auth import owner_of
from mooring.api.bodies import json_of
from mooring.api.connecting import SettingsBody, connect_request
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.paths import segment
from mooring.api.queries import query_of, read_position, write_token
from mooring.diagnosis import WatchView, watch_view
from mooring.errors import InvalidRequest

_PATH = "/v3/watches"
_ONE = f"{_PATH}/{{watch_id:str}}"


class WatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be done beyond looking.

    Attributes:
        authenticate: connect the account of ``settings`` as soon as all is open, once. The passwords are kept sealed
            until then; those of the diagnosis were erased when it ended.
        settings, name, state, scope: as at ``connect/custom``.
    """

    authenticate: bool = False
    settings: SettingsBody | None = None
    name: str | None = None
    state: str | None = None
    scope: list[str] | str | None = None

    def __repr__(self) -> str:
        return "WatchBody(…)"


@door(
    "POST", "/v3/diagnoses/{diagnosis_id:str}/watch", answer=Single[WatchView], query=("client_id",), body=WatchBody,
    status=201,
)  # fmt: skip
async def watch_diagnosis(request: Req) -> ASGIResponse:
    """Watch the servers of a diagnosis: when do they let our static addresses in, and is the rule still there later."""
    application = await owner_of(request)
    limits_of(request).take(Limit.DIAGNOSES, application.id)
    body = await json_of(request, WatchBody)
    if body.authenticate and body.settings is None:
        raise InvalidRequest(
            "settings is missing: the passwords of a diagnosis are erased when it ends.",
            hint="Give the account's settings, as at connect/custom.",
        )
    account = None
    if body.authenticate and body.settings is not None:
        account = connect_request(
            request, provider="imap", settings=body.settings, name=body.name, state=body.state, scope=body.scope
        )
    services = services_of(request)
    diagnosis = await services.diagnoses.find(application, segment(request, "diagnosis_id"))
    watch = await services.watches.begin(application, diagnosis, account)
    return single(request, watch_view(watch, whole=True), status=201)


@door("GET", _PATH, answer=Listing[WatchView], query=("client_id", "limit", "page_token", "select"))
async def list_watches(request: Req) -> ASGIResponse:
    """List the application's watches, newest first, without what has changed."""
    application = await owner_of(request)
    query = query_of(request)
    limit, token = query.limit(), query.page_token()
    found = await services_of(request).watches.list(
        application, limit=limit + 1, before=read_position(token) if token else None
    )
    page = found[:limit]
    cursor = write_token((page[-1].created_at, page[-1].id)) if len(found) > limit else None
    views = [watch_view(one, whole=False) for one in page]
    return listing(request, selected(views, query.select()), next_cursor=cursor)


@door("GET", _ONE, answer=Single[WatchView], query=("client_id",))
async def find_watch(request: Req) -> ASGIResponse:
    """Find a watch, with what has changed and when."""
    application = await owner_of(request)
    watch = await services_of(request).watches.find(application, segment(request, "watch_id"))
    return single(request, watch_view(watch, whole=True))


@door("DELETE", _ONE, answer=Done, query=("client_id",))
async def end_watch(request: Req) -> ASGIResponse:
    """Give a watch up; what it keeps of an account is erased."""
    application = await owner_of(request)
    await services_of(request).watches.end(application, segment(request, "watch_id"))
    return done(request)


ROUTES = (watch_diagnosis, list_watches, find_watch, end_watch)
