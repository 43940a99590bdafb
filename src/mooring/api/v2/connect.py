"""Native authentication: whose account it is, its servers for a code, the code for an access token."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application, v2_application_named
from mooring.api.bodies import json_of
from mooring.api.connecting import SettingsBody, connect_request
from mooring.api.doors import Req, door, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.v2.views import ConnectedView, connected_view
from mooring.providers import Detected, Provider

_NAMES = {Provider.GOOGLE: "gmail", Provider.MICROSOFT: "office365", Provider.EWS: "exchange"}
"""How v2 calls what v3 has other words for."""
_NO_IMAP = frozenset(_NAMES)


class AuthorizeBody(msgspec.Struct):
    """The body of ``POST /connect/authorize``."""

    client_id: str
    email_address: str
    provider: str
    settings: SettingsBody
    name: str | None = None
    scopes: list[str] | str | None = None


class TokenBody(msgspec.Struct):
    """The body of ``POST /connect/token``."""

    client_id: str
    client_secret: str
    code: str


class CodeView(msgspec.Struct):
    """A code, good once and for a short while."""

    code: str


class DetectBody(msgspec.Struct):
    """The body of ``POST /connect/detect-provider``."""

    client_id: str
    client_secret: str
    email_address: str


class DetectedView(msgspec.Struct):
    """What was found out; the names are null where nothing was."""

    auth_name: str | None
    detected: bool
    email_address: str
    is_imap: bool
    provider_name: str | None


@door("POST", "/connect/detect-provider", answer=DetectedView, body=DetectBody, secured=False)
async def detect_provider(request: Req) -> ASGIResponse:
    """Detect the provider of an e-mail address."""
    body = await json_of(request, DetectBody)
    application = await v2_application(request, body.client_id, body.client_secret)
    limits_of(request).take(Limit.DETECT, application.id)
    return encoded(_detected_view(await services_of(request).detection.detect(application, body.email_address)))


@door("POST", "/connect/authorize", answer=CodeView, body=AuthorizeBody, secured=False)
async def authorize(request: Req) -> ASGIResponse:
    """Authenticate an account at its own servers; answers a code."""
    body = await json_of(request, AuthorizeBody)
    application = await v2_application_named(request, body.client_id)
    limits_of(request).take(Limit.CONNECT, application.id)
    wanted = connect_request(
        request,
        provider=body.provider,
        settings={**body.settings, "email": body.email_address},
        name=body.name,
        state=None,
        scope=body.scopes,
    )
    grants = services_of(request).grants
    with limits_of(request).logins(application.id, wanted.settings):
        grant, _ = await grants.connect(application, wanted)
    return encoded(CodeView(await services_of(request).tokens.issue_code(grant)))


@door("POST", "/connect/token", answer=ConnectedView, body=TokenBody, secured=False)
async def exchange(request: Req) -> ASGIResponse:
    """Exchange the code for the account and its access token."""
    body = await json_of(request, TokenBody)
    application = await v2_application(request, body.client_id, body.client_secret)
    tokens = services_of(request).tokens
    grant = await tokens.redeem_code(application, body.code)
    return encoded(connected_view(grant, await tokens.issue(grant)))


def _detected_view(found: Detected) -> DetectedView:
    if found.provider is None:
        return DetectedView(None, False, found.email, False, None)
    name = _NAMES.get(found.provider, str(found.provider))
    own = found.type if found.type and found.provider not in _NO_IMAP else name
    return DetectedView(name, True, found.email, found.provider not in _NO_IMAP, own)


ROUTES = (detect_provider, authorize, exchange)
