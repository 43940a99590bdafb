"""The ledger: which of our addresses connected to which server, for whom, when (spec B2)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, listing, selected
from mooring.api.auth import application_of, grant_of
from mooring.api.doors import Req, door, services_of
from mooring.api.queries import query_of, read_position, write_token
from mooring.egress import LedgerEntry

_QUERY = ("server", "source", "since", "limit", "page_token", "select")


class ConnectionView(msgspec.Struct):
    """One connection as the ledger has it, in the words of ``provider_error`` where they mean the same.

    Attributes:
        source: the address that the server saw; ``source_name`` is what the operator calls that way out.
        environment: ``dynamic`` or ``static``; ``pool`` is the whole name, with generation and region.
        remote: the resolved address; ``local`` is our end as the kernel has it.
        outcome: ``intended``, ``opened``, ``failed`` or ``not_dialled``; ``stage``, ``reason`` and ``detail`` say why.
    """

    id: str
    at: datetime
    closed_at: datetime | None
    grant_id: str
    traffic: str = msgspec.field(name="class")
    environment: str
    pool: str
    source: str
    source_name: str
    via: str
    route: str
    server: str
    host: str
    port: int
    remote: str
    local: str
    outcome: str
    stage: str
    reason: str
    detail: str
    resolve_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    object: str = "connection"


@door("GET", "/v3/grants/{identifier:str}/connections", answer=Listing[ConnectionView], query=_QUERY)
async def grant_connections(request: Req) -> ASGIResponse:
    """List the connections made for a grant, newest first; also those that authenticated it before it existed."""
    grant = await grant_of(request)
    return await _page(request, grant.application_id, grant.subject)


@door("GET", "/v3/connections", answer=Listing[ConnectionView], query=_QUERY)
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
        before=read_position(token, UUID) if token else None,
    )
    page = entries[:limit]
    cursor = write_token((page[-1].at, page[-1].id)) if len(entries) > limit else None
    return listing(request, selected([_view(e) for e in page], query.select()), next_cursor=cursor)


def _view(entry: LedgerEntry) -> dict[str, Any]:
    return msgspec.to_builtins(
        ConnectionView(
            id=entry.id,
            at=entry.at,
            closed_at=entry.closed_at,
            grant_id=entry.grant_id,
            traffic=entry.traffic,
            environment=entry.environment.rpartition("-")[2],
            pool=entry.environment,
            source=entry.source_address,
            source_name=entry.source,
            via=entry.via,
            route=entry.reason,
            server=f"{entry.host}:{entry.port}",
            host=entry.host,
            port=entry.port,
            remote=entry.remote,
            local=entry.local,
            outcome=entry.outcome,
            stage=entry.phase,
            reason=entry.cause,
            detail=entry.detail,
            resolve_ms=entry.resolve_ms,
            connect_ms=entry.connect_ms,
            tls_ms=entry.tls_ms,
        )
    )


ROUTES = (grant_connections, application_connections)
