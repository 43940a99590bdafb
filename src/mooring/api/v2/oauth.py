"""OAuth as v2 has it: the code for an access token, in the three ways in which clients ask, and revoking it."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application, v2_token_of
from mooring.api.bodies import fields_of_form, from_pairs
from mooring.api.doors import Req, door, services_of
from mooring.api.v2.views import SuccessView
from mooring.errors import InvalidRequest

_CODE = "authorization_code"
_BEARER = "bearer"


class TokenBody(msgspec.Struct):
    """What ``/oauth/token`` asks for: as a form, as JSON, or in the query, as the Node SDK has it (contract 6.2)."""

    client_id: str
    client_secret: str
    code: str
    grant_type: str = _CODE


class TokenView(msgspec.Struct):
    """An access token, which is shown this once."""

    access_token: str
    account_id: str
    email_address: str
    provider: str
    token_type: str = _BEARER


@door("POST", "/oauth/token", answer=TokenView, body=TokenBody, secured=False)
async def exchange(request: Req) -> ASGIResponse:
    """Exchange a code for an access token; the body is a form, or JSON."""
    return await _exchanged(request, await fields_of_form(request, TokenBody))


@door("GET", "/oauth/token", answer=TokenView, query=TokenBody.__struct_fields__, secured=False)
async def exchange_by_query(request: Req) -> ASGIResponse:
    """Exchange a code for an access token, as the Node SDK asks for it; a URL with a secret is for no browser."""
    return await _exchanged(request, from_pairs(request.scope["query_string"], TokenBody))


@door("POST", "/oauth/revoke", answer=SuccessView)
async def revoke(request: Req) -> ASGIResponse:
    """Revoke the access token that this is asked with."""
    _, token = await v2_token_of(request)
    await services_of(request).tokens.revoke(token)
    return encoded(SuccessView())


async def _exchanged(request: Req, body: TokenBody) -> ASGIResponse:
    if body.grant_type != _CODE:
        raise InvalidRequest(f"grant_type is {_CODE!r} here.")
    application = await v2_application(request, body.client_id, body.client_secret)
    tokens = services_of(request).tokens
    grant = await tokens.redeem_code(application, body.code)
    return encoded(TokenView(await tokens.issue(grant), grant.id, grant.email, grant.provider))


ROUTES = (exchange, exchange_by_query, revoke)
