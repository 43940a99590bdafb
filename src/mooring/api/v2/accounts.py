"""An application's accounts."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v2.views import ManagedAccountView, managed_account_view
from mooring.grants import GrantQuery

BY = "application"
"""Who did it, as far as an API can tell."""
DEFAULT_LIMIT = 100
"""Accounts on a page: what the SDKs of v2 ask for (contract 6.2)."""


class SuccessView(msgspec.Struct):
    """It was done; ``true`` in quotes, as v2 has it (contract 6.3)."""

    success: str = "true"


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


@door("POST", "/a/{client_id:str}/accounts/{account_id:str}/downgrade", answer=SuccessView)
async def downgrade_account(request: Req) -> ASGIResponse:
    """Stop an account: nothing is dialled for it until it is started again."""
    application = await v2_application_of(request)
    services = services_of(request)
    grant = await services.grants.find(application, segment(request, "account_id"))
    await services.placements.stop(application, grant, by=BY)
    return encoded(SuccessView())


@door("POST", "/a/{client_id:str}/accounts/{account_id:str}/upgrade", answer=SuccessView)
async def upgrade_account(request: Req) -> ASGIResponse:
    """Start an account; after the delay of a staged move, in the static environment."""
    application = await v2_application_of(request)
    services = services_of(request)
    grant = await services.grants.find(application, segment(request, "account_id"))
    await services.placements.start(application, grant, by=BY)
    return encoded(SuccessView())


ROUTES = (list_accounts, find_account, downgrade_account, upgrade_account)
