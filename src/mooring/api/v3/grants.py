"""Grants: list, find, update, delete."""

from contextlib import ExitStack

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Done, OffsetListing, Single, done, encoded, request_id, selected, single
from mooring.api.auth import application_of, grant_itself_of
from mooring.api.bodies import json_of
from mooring.api.connecting import SettingsBody, changed_servers, scopes
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.paths import segment
from mooring.api.queries import Query, query_of
from mooring.api.v3.views import GrantView, grant_view
from mooring.grants import GrantQuery, GrantStatus

DEFAULT_LIMIT = 10
"""Grants on a page (contract 1.9)."""

_SORTS = ("created_at", "updated_at")
_ORDERS = ("desc", "asc")
_LIST = ("limit", "offset", "email", "provider", "grant_status", "since", "before", "sort_by", "order_by", "select")
_REFUSED = ("ip", "account_id", "account_ids", "workspace_id")


class UpdateBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PATCH /v3/grants/{id}``: what is left out stays as it is."""

    settings: SettingsBody | None = None
    scope: list[str] | str | None = None


@door("GET", "/v3/grants", answer=OffsetListing[GrantView], query=_LIST, refused=_REFUSED)
async def list_grants(request: Req) -> ASGIResponse:
    """List the application's grants, newest first."""
    application = await application_of(request)
    query = query_of(request)
    wanted = _wanted(query)
    grants = await services_of(request).grants.list(application, wanted)
    data = selected([grant_view(g) for g in grants], query.select())
    return encoded(OffsetListing(request_id(request), data, wanted.limit, wanted.offset))


@door("GET", "/v3/grants/{identifier:str}", answer=Single[GrantView])
async def find_grant(request: Req) -> ASGIResponse:
    """Find a grant by its id or e-mail address, or as `me` by an access token."""
    return single(request, grant_view(await grant_itself_of(request)))


@door("PATCH", "/v3/grants/{identifier:str}", answer=Single[GrantView], body=UpdateBody)
async def update_grant(request: Req) -> ASGIResponse:
    """Change a grant's settings or scope."""
    application = await application_of(request)
    body = await json_of(request, UpdateBody)
    limits, grants, identifier = limits_of(request), services_of(request).grants, segment(request, "identifier")
    with ExitStack() as stack:
        if body.settings is not None:
            grant = await grants.find(application, identifier)
            limits.take(Limit.CONNECT, application.id)
            stack.enter_context(limits.logins(application.id, changed_servers(grant, body.settings)))
        grant = await grants.update(application, identifier, settings=body.settings, scope=scopes(body.scope))
    return single(request, grant_view(grant))


@door("DELETE", "/v3/grants/{identifier:str}", answer=Done)
async def delete_grant(request: Req) -> ASGIResponse:
    """Delete a grant and everything stored of it."""
    await services_of(request).grants.delete(await application_of(request), segment(request, "identifier"))
    return done(request)


def _wanted(query: Query) -> GrantQuery:
    status = query.text("grant_status")
    return GrantQuery(
        limit=query.limit(DEFAULT_LIMIT),
        offset=query.offset(),
        email=query.text("email"),
        provider=query.text("provider"),
        status=query.choice("grant_status", tuple(GrantStatus), GrantStatus.VALID) if status else None,
        since=query.moment("since"),
        before=query.moment("before"),
        sort_by=query.choice("sort_by", _SORTS, _SORTS[0]),
        descending=query.choice("order_by", _ORDERS, _ORDERS[0]) == "desc",
    )


ROUTES = (list_grants, find_grant, update_grant, delete_grant)
