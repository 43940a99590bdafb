"""Connecting an account with its own servers and passwords."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Single, single
from mooring.api.auth import application_of
from mooring.api.bodies import json_of
from mooring.api.connecting import SettingsBody, connect_request
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.v3.views import GrantView, grant_view


class ConnectBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v3/connect/custom``."""

    provider: str
    settings: SettingsBody
    name: str | None = None
    state: str | None = None
    scope: list[str] | str | None = None


@door("POST", "/v3/connect/custom", answer=Single[GrantView], body=ConnectBody, status=201)
async def connect_custom(request: Req) -> ASGIResponse:
    """Connect an account, or authenticate it again."""
    application = await application_of(request)
    limits_of(request).take(Limit.CONNECT, application.id)
    body = await json_of(request, ConnectBody)
    wanted = connect_request(
        request, provider=body.provider, settings=body.settings, name=body.name, state=body.state, scope=body.scope
    )
    with limits_of(request).logins(application.id, wanted.settings):
        grant, _ = await services_of(request).grants.connect(application, wanted)
    return single(request, grant_view(grant), status=201)


ROUTES = (connect_custom,)
