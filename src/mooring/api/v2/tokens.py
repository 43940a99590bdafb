"""Access tokens of an account, as its application sees and revokes them."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded, unix
from mooring.api.auth import v2_application_of
from mooring.api.bodies import json_if_any, json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.v2.views import SuccessView

_ACCOUNT = "/a/{client_id:str}/accounts/{account_id:str}"


class RevokeAllBody(msgspec.Struct):
    """The body of ``revoke-all``, if there is one."""

    keep_access_token: str | None = None


class TokenInfoBody(msgspec.Struct):
    """The body of ``token-info``."""

    access_token: str


class TokenInfoView(msgspec.Struct):
    """What is known of a token; one that was revoked is not known any more."""

    created_at: int | None
    updated_at: int | None
    scopes: str
    state: str = "valid"


@door("POST", f"{_ACCOUNT}/revoke-all", answer=SuccessView, body=RevokeAllBody)
async def revoke_all(request: Req) -> ASGIResponse:
    """Revoke every access token of an account, but the one to keep; it goes on being synchronised."""
    application = await v2_application_of(request)
    services = services_of(request)
    grant = await services.grants.find(application, segment(request, "account_id"))
    body = await json_if_any(request, RevokeAllBody)
    await services.tokens.revoke_all(grant, keep=body.keep_access_token if body is not None else None)
    return encoded(SuccessView())


@door("POST", f"{_ACCOUNT}/token-info", answer=TokenInfoView, body=TokenInfoBody)
async def token_info(request: Req) -> ASGIResponse:
    """What an access token of the account is good for."""
    application = await v2_application_of(request)
    services = services_of(request)
    grant = await services.grants.find(application, segment(request, "account_id"))
    body = await json_of(request, TokenInfoBody)
    at = unix(await services.tokens.issued_at(grant, body.access_token))
    return encoded(TokenInfoView(at, at, ",".join(grant.scope)))


ROUTES = (revoke_all, token_info)
