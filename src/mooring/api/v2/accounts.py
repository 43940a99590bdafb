"""An application's accounts, as it manages them."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application_of, v2_reader_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v2.views import Count, ManagedAccountView, SuccessView, managed_account_view
from mooring.applications import Application
from mooring.errors import InvalidRequest, NotFound
from mooring.grants import Grant, GrantQuery

BY = "application"
"""Who did it, as far as an API can tell."""
DEFAULT_LIMIT = 100
"""Accounts on a page: what the SDKs of v2 ask for (contract 6.2)."""
MAX_METADATA = 50
"""Keys of an account's metadata."""
MAX_METADATA_LETTERS = 500
"""Characters of one of its values; keys have at most 40 (of the same origin: the limits of v2's own documents)."""

_ACCOUNTS = "/a/{client_id:str}/accounts"
_ACCOUNT = f"{_ACCOUNTS}/{{account_id:str}}"


class AccountBody(msgspec.Struct):
    """The body of an update: what an application says of an account is all that it can change."""

    metadata: dict[str, str]


@door("GET", _ACCOUNTS, answer=list[ManagedAccountView], query=("view", "limit", "offset"))
async def list_accounts(request: Req) -> ASGIResponse:
    """List the application's accounts; an account's own access token lists that one."""
    application, account = await v2_reader_of(request)
    query = query_of(request)
    view = query.choice("view", ("ids", "count", "expanded"), "expanded")
    grants = services_of(request).grants
    if view == "count":
        return encoded(Count(1 if account is not None else await grants.count(application)))
    limit, offset = query.limit(DEFAULT_LIMIT), query.offset()
    if account is not None:
        found = [account][offset : offset + limit]
    else:
        found = await grants.list(application, GrantQuery(limit=limit, offset=offset))
    return encoded([g.id if view == "ids" else managed_account_view(g) for g in found])


@door("GET", _ACCOUNT, answer=ManagedAccountView)
async def find_account(request: Req) -> ASGIResponse:
    """Find an account of the application."""
    application, account = await v2_reader_of(request)
    found = await _found(request, application)
    if account is not None and account.id != found.id:
        raise NotFound("This access token opens another account.")
    return encoded(managed_account_view(found))


@door("PUT", _ACCOUNT, answer=ManagedAccountView, body=AccountBody)
async def update_account(request: Req) -> ASGIResponse:
    """Write an account's metadata, in the place of what was there."""
    application = await v2_application_of(request)
    metadata = (await json_of(request, AccountBody)).metadata
    too_long = any(len(key) > 40 or len(value) > MAX_METADATA_LETTERS for key, value in metadata.items())
    if len(metadata) > MAX_METADATA or too_long:
        raise InvalidRequest(
            f"metadata has at most {MAX_METADATA} keys of 40 letters, and {MAX_METADATA_LETTERS} letters in a value."
        )
    grant = await services_of(request).grants.describe(application, segment(request, "account_id"), metadata=metadata)
    return encoded(managed_account_view(grant))


@door("DELETE", _ACCOUNT, answer=SuccessView)
async def delete_account(request: Req) -> ASGIResponse:
    """Delete an account, and with its key all that is stored of it."""
    application = await v2_application_of(request)
    await services_of(request).grants.delete(application, segment(request, "account_id"))
    return encoded(SuccessView())


@door("POST", f"{_ACCOUNT}/downgrade", answer=SuccessView)
async def downgrade_account(request: Req) -> ASGIResponse:
    """Stop an account: nothing is dialled for it until it is started again."""
    application = await v2_application_of(request)
    await services_of(request).placements.stop(application, await _found(request, application), by=BY)
    return encoded(SuccessView())


@door("POST", f"{_ACCOUNT}/upgrade", answer=SuccessView)
async def upgrade_account(request: Req) -> ASGIResponse:
    """Start an account; after the delay of a staged move, in the static environment."""
    application = await v2_application_of(request)
    await services_of(request).placements.start(application, await _found(request, application), by=BY)
    return encoded(SuccessView())


async def _found(request: Req, application: Application) -> Grant:
    return await services_of(request).grants.find(application, segment(request, "account_id"))


ROUTES = (list_accounts, find_account, update_account, delete_account, downgrade_account, upgrade_account)
