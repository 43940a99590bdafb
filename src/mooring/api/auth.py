"""Who is calling: v3 by API key or access token, v2 by client secret or access token.

The generations never mix: a v2 secret opens nothing under ``/v3``, and the reverse.
"""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mooring.api.callers import address_of
from mooring.api.doors import Req, services_of
from mooring.api.limits import Limit, limits_of
from mooring.api.paths import segment
from mooring.applications import Application
from mooring.config import Generation
from mooring.errors import Forbidden, NotFound, Unauthorized
from mooring.grants import Grant

T = TypeVar("T")

ME = "me"
"""The grant that the access token speaks for (contract 1.3)."""

MAX_SECRET = 4096
"""Characters; ours have 43, and nobody needs to hash more than this."""

_HINT = "Send the API key or access token as `Authorization: Bearer …`."


@dataclass(frozen=True, slots=True)
class _Authorization:
    """What the header says; ``secret`` is the token, or the user name (else the password) of Basic."""

    scheme: str
    secret: str


async def application_of(request: Req) -> Application:
    """The v3 application whose API key this is, if it may call just now.

    Raises:
        Unauthorized.
        RateLimited.
    """
    application = await _v3_application(request)
    limits_of(request).take(Limit.APPLICATION, application.id)
    return application


async def owner_of(request: Req) -> Application:
    """The application that is asking, of either generation: by its API key, or by ``client_id`` and client secret.

    Raises:
        Unauthorized.
        RateLimited.
    """
    application = await uncounted_owner_of(request)
    limits_of(request).take(Limit.APPLICATION, application.id)
    return application


async def uncounted_owner_of(request: Req) -> Application:
    """As ``owner_of``, for a route that counts by a limit of its own.

    Raises:
        Unauthorized.
    """
    client_id = request.query_params.get("client_id")
    if client_id is None:
        return await _v3_application(request)
    return await _v2_application(request, client_id, _authorization(request).secret)


async def grant_of(request: Req) -> Grant:
    """The grant whose data the path names, if this caller may use it, and just now.

    Raises:
        Unauthorized: the key or token is unknown.
        NotFound: the application has no such grant.
        RateLimited.
    """
    grant = await _v3_grant(request)
    limits_of(request).take(Limit.GRANT, grant.id)
    return grant


async def grant_itself_of(request: Req) -> Grant:
    """As ``grant_of``, for a route that is about the grant and not about its data; it counts as its application's."""
    grant = await _v3_grant(request)
    limits_of(request).take(Limit.APPLICATION, grant.application_id)
    return grant


async def v2_application_of(request: Req) -> Application:
    """The v2 application in ``/a/{client_id}``, by its client secret, if it may call just now.

    Raises:
        Unauthorized: also when there is no such application, so that nobody can look for ids.
        Forbidden: it is one of its accounts that calls.
        RateLimited.
    """
    application, account = await v2_reader_of(request)
    if account is not None:
        raise Forbidden(
            "An account's access token reads that account here, and nothing else of its application.",
            hint="Call with the client secret; the Python SDK sends access_token instead as long as that is set.",
        )
    return application


async def v2_reader_of(request: Req) -> tuple[Application, Grant | None]:
    """Who reads in ``/a/{client_id}``: the application, or one of its accounts by its access token (contract 6.1).

    Raises:
        Unauthorized.
        RateLimited.
    """
    services = services_of(request)

    async def find(client_id: str, secret: str) -> tuple[Application, Grant | None]:
        try:
            return await services.applications.by_client_secret(client_id, secret), None
        except Unauthorized as unknown:
            try:
                account = await services.tokens.grant_of(secret)
            except Unauthorized:
                raise unknown from None
            if account.application_id != client_id:
                raise unknown from None
            return await services.applications.get(client_id), account

    client_id = segment(request, "client_id")
    application, account = await recognised(request, find, client_id, _authorization(request).secret)
    _require_v2(application)
    limits_of(request).take(Limit.APPLICATION, application.id)
    return application, account


async def v2_application(request: Req, client_id: str, secret: str) -> Application:
    """The v2 application with this id and secret.

    Raises:
        Unauthorized.
        RateLimited.
    """
    application = await _v2_application(request, client_id, secret)
    limits_of(request).take(Limit.APPLICATION, application.id)
    return application


async def v2_application_named(request: Req, client_id: str) -> Application:
    """The v2 application with this id; the first step of an authentication names it without a secret (contract 6.3).

    Raises:
        Unauthorized.
        RateLimited.
    """
    unknown = Unauthorized("This client id belongs to no v2 application.")

    async def find(client_id: str) -> Application:
        try:
            application = await services_of(request).applications.get(client_id)
        except NotFound:
            raise unknown from None
        if application.generation is not Generation.V2:
            raise unknown
        return application

    return await recognised(request, find, client_id)


async def v2_grant_of(request: Req) -> Grant:
    """The account that the access token speaks for, if it may call just now.

    Raises:
        Unauthorized.
        RateLimited.
    """
    return (await v2_token_of(request))[0]


async def v2_token_of(request: Req) -> tuple[Grant, str]:
    """As ``v2_grant_of``, and the access token itself."""
    token = _authorization(request).secret
    grant = await recognised(request, services_of(request).tokens.grant_of, token)
    if grant.generation is not Generation.V2:
        raise Unauthorized("This access token is not one of a v2 account.")
    limits_of(request).take(Limit.GRANT, grant.id)
    return grant, token


async def recognised(request: Req, find: Callable[..., Awaitable[T]], *shown: str) -> T:
    """Whom ``find`` finds by what the caller has shown; whoever shows too much that is nobody's is not heard.

    Raises:
        Unauthorized: it is nobody's.
        RateLimited: nothing was looked up.
    """
    limits, address, secret = limits_of(request), address_of(request), "\n".join(shown)
    limits.admit(address, secret)
    try:
        found = await find(*shown)
    except Unauthorized:
        limits.unknown(address, secret)
        raise
    limits.recognised(secret)
    return found


def _require_v2(application: Application) -> None:
    if application.generation is not Generation.V2:
        raise Unauthorized("This client id and secret belong to no v2 application.")


async def _v2_application(request: Req, client_id: str, secret: str) -> Application:
    application = await recognised(request, services_of(request).applications.by_client_secret, client_id, secret)
    _require_v2(application)
    return application


async def _v3_application(request: Req) -> Application:
    application = await recognised(request, services_of(request).applications.by_api_key, _bearer(request))
    if application.generation is not Generation.V3:
        raise Unauthorized("This key is not one of a v3 application.")
    return application


async def _v3_grant(request: Req) -> Grant:
    identifier = segment(request, "identifier")
    grants = services_of(request).grants
    if identifier == ME:
        grant = await recognised(request, services_of(request).tokens.grant_of, _bearer(request))
        if grant.generation is not Generation.V3:
            raise Unauthorized("This access token is not one of a v3 application.")
        return grant
    application = await _v3_application(request)
    try:
        return await grants.find(application, identifier)
    except NotFound:
        limits_of(request).take(Limit.APPLICATION, application.id)
        raise


def _bearer(request: Req) -> str:
    authorization = _authorization(request)
    if authorization.scheme != "bearer":
        raise Unauthorized("The Authorization header holds no bearer token.", hint=_HINT)
    return authorization.secret


def _authorization(request: Req) -> _Authorization:
    """The header in any of the three spellings that clients use: Bearer, Basic, or the bare token."""
    header = request.headers.get("authorization", "").strip()
    scheme, separated, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            found = _Authorization("bearer", rest.strip())
        case "basic":
            found = _Authorization("basic", _basic(rest.strip()))
        case _:
            found = _Authorization("raw", "" if separated else scheme)
    if not found.secret:
        raise Unauthorized("The request says nothing of who is calling.", hint=_HINT)
    if len(found.secret) > MAX_SECRET:
        raise Unauthorized("The Authorization header is longer than any of our secrets.")
    return found


def _basic(encoded: str) -> str:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise Unauthorized("The Authorization header is not well-formed Basic authentication.") from None
    return user or password
