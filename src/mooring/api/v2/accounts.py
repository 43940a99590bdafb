"""An application's accounts."""

from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v2.views import ManagedAccountView, managed_account_view
from mooring.grants import GrantQuery

DEFAULT_LIMIT = 100
"""Accounts on a page: what the SDKs of v2 ask for (contract 6.2)."""


@door("GET", "/a/{client_id:str}/accounts", answer=list[ManagedAccountView], query=("limit", "offset"))
async def list_accounts(request: Req) -> ASGIResponse:
    """List the application's accounts."""
    application = await v2_application_of(request)
    query = query_of(request)
    wanted = GrantQuery(limit=query.limit(DEFAULT_LIMIT), offset=query.offset())
    grants = await services_of(request).grants.list(application, wanted)
    return encoded([managed_account_view(g) for g in grants])


@door("GET", "/a/{client_id:str}/accounts/{account_id:str}", answer=ManagedAccountView)
async def find_account(request: Req) -> ASGIResponse:
    """Find an account of the application."""
    application = await v2_application_of(request)
    grant = await services_of(request).grants.find(application, segment(request, "account_id"))
    return encoded(managed_account_view(grant))


ROUTES = (list_accounts, find_account)
