"""The ledger: which of our addresses connected to which server, for whom, when (spec B2)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, listing, selected
from mooring.api.auth import application_of, grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.queries import query_of, read_token, write_token
from mooring.egress import LedgerEntry

_QUERY = ("server", "source", "since", "limit", "page_token", "select")


@door("GET", "/v3/grants/{identifier:str}/connections", answer=Listing[LedgerEntry], query=_QUERY)
async def grant_connections(request: Req) -> ASGIResponse:
    """List the connections made for a grant, newest first; also those that authenticated it before it existed."""
    grant = await grant_of(request)
    return await _page(request, grant.application_id, grant.subject)


@door("GET", "/v3/connections", answer=Listing[LedgerEntry], query=_QUERY)
async def application_connections(request: Req) -> ASGIResponse:
    """List the connections made for the application, newest first."""
    application = await application_of(request)
    return await _page(request, application.id, None)


async def _page(request: Req, application_id: str, subject: str | None) -> ASGIResponse:
    query = query_of(request)
    limit = query.limit()
    token = query.page_token()
    entries = await services_of(request).ledger.entries(
        application_id=application_id,
        subject=subject,
        server=query.text("server"),
        source=query.text("source"),
        since=query.moment_utc("since"),
        limit=limit + 1,
        before=_position(token) if token else None,
    )
    page = entries[:limit]
    cursor = write_token((page[-1].at, page[-1].id)) if len(entries) > limit else None
    return listing(request, selected([_view(e) for e in page], query.select()), next_cursor=cursor)


def _position(token: str) -> tuple[datetime, str]:
    at, identity = read_token(token, tuple[Annotated[datetime, msgspec.Meta(tz=True)], UUID])
    return at, str(identity)


def _view(entry: LedgerEntry) -> dict[str, Any]:
    return {"object": "connection", **{name: getattr(entry, name) for name in LedgerEntry.__slots__}}


ROUTES = (grant_connections, application_connections)
