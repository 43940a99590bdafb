"""Hosted authentication: a page of ours asks for the mailbox, and leads back to the application with a code.

It is native authentication behind a form. The form carries a word that a cookie of ours holds as well, which no other
site can read or set; where it leads back to must be one of the application's redirect URIs, letter for letter.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from litestar.response.base import ASGIResponse

from mooring.api.auth import v2_application_named
from mooring.api.bodies import chunks_of
from mooring.api.connecting import IMAP, connect_request
from mooring.api.doors import Req, door, services_of
from mooring.api.http import Problem, problem_of
from mooring.api.limits import Limit, limits_of
from mooring.api.queries import query_of
from mooring.api.v2.hosted_page import Form, page, policy
from mooring.applications import Application
from mooring.errors import InvalidRequest, MooringError
from mooring.ids import new_secret

COOKIE = "mooring_authorize"
_CSRF = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_FIELDS = 50
_PARAMETERS = (
    "client_id", "redirect_uri", "response_type", "login_hint", "scopes", "state", "provider", "redirect_on_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for a mailbox, and where its owner is led to afterwards."""

    application: Application
    redirect_uri: str
    state: str
    scopes: str
    login_hint: str
    redirects_on_error: bool

    def back(self, **said: str) -> str:
        """The redirect URI, which is told this."""
        uri = urlsplit(self.redirect_uri)
        told = {**said, **({"state": self.state} if self.state else {})}
        query = urlencode([*parse_qsl(uri.query, keep_blank_values=True), *told.items()])
        return urlunsplit(uri._replace(query=query))


@door("GET", "/oauth/authorize", answer="text/html", query=_PARAMETERS, secured=False)
async def authorize_page(request: Req) -> ASGIResponse:
    """The page on which the owner of a mailbox connects it."""
    asked = await _asked(request)
    query = query_of(request)
    if query.text("response_type") not in {None, "code"}:
        return _redirect(asked.back(error="unsupported_response_type"))
    if (query.text("provider") or IMAP).lower() != IMAP:
        return _redirect(
            asked.back(error="invalid_request", error_description="Accounts of this provider cannot be connected here.")
        )
    return _form(request, asked, {"email": asked.login_hint})


@door("POST", "/oauth/authorize", answer="text/html", query=_PARAMETERS, secured=False)
async def authorize_by_form(request: Req) -> ASGIResponse:
    """Authenticate the mailbox at its own servers, and lead back to the application with a code."""
    asked = await _asked(request)
    limits_of(request).take(Limit.CONNECT, asked.application.id)
    typed = await _typed(request)
    held = request.cookies.get(COOKIE, "")
    if not held or not hmac.compare_digest(held.encode(), typed.get("csrf", "").encode()):
        return _form(
            request, asked, typed, "This page has been open for too long, or cookies are switched off. Try again.",
            status=HTTPStatus.FORBIDDEN,
        )  # fmt: skip
    try:
        code = await _authenticate(request, asked, typed)
    except MooringError as error:
        problem = problem_of(error)
        if problem is None:
            raise
        if asked.redirects_on_error:
            return _redirect(asked.back(error=_word(problem), error_description=problem.message))
        return _form(request, asked, typed, problem.message, status=problem.row.status, headers=problem.headers)
    return _redirect(asked.back(code=code))


async def _asked(request: Req) -> _Asked:
    """What the query says, once it is certain that whoever is led back is led to the application.

    Raises:
        Unauthorized, InvalidRequest, RateLimited.
    """
    query = query_of(request)
    application = await v2_application_named(request, query.required("client_id"))
    redirect_uri = query.required("redirect_uri")
    if redirect_uri not in application.redirect_uris:
        raise InvalidRequest(
            "This redirect_uri is none of the application's.", hint="PUT /a/{client_id} sets its redirect_uris."
        )
    return _Asked(
        application=application,
        redirect_uri=redirect_uri,
        state=query.text("state") or "",
        scopes=query.text("scopes") or "",
        login_hint=query.text("login_hint") or "",
        redirects_on_error=query.flag("redirect_on_error") or False,
    )


async def _typed(request: Req) -> dict[str, str]:
    body = b"".join(await chunks_of(request)).decode("utf-8", "replace")
    try:
        return {k: v.strip() if k != "password" else v for k, v in parse_qsl(body, max_num_fields=MAX_FIELDS)}
    except ValueError:
        raise InvalidRequest(f"The form has more than {MAX_FIELDS} fields.") from None


async def _authenticate(request: Req, asked: _Asked, typed: Mapping[str, str]) -> str:
    """The code for an account that its servers have let in."""
    named = ("email", "imap_host", "imap_port", "smtp_host", "smtp_port")
    wanted = connect_request(
        request,
        provider=IMAP,
        settings={
            **{name: typed[name] for name in named if typed.get(name)},
            "imap_username": typed.get("username") or typed.get("email", ""),
            "imap_password": typed.get("password", ""),
        },
        name=None,
        state=asked.state,
        scope=asked.scopes or None,
    )
    services = services_of(request)
    with limits_of(request).logins(asked.application.id, wanted.settings):
        grant, _ = await services.grants.connect(asked.application, wanted)
    return await services.tokens.issue_code(grant)


def _form(
    request: Req,
    asked: _Asked,
    typed: Mapping[str, str],
    problem: str = "",
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> ASGIResponse:
    held = request.cookies.get(COOKIE, "")
    csrf = held if _CSRF.fullmatch(held) else new_secret()
    secure = "; Secure" if request.scope["scheme"] == "https" else ""
    shown = Form(asked.application.name, csrf, asked.back(error="access_denied"), typed, problem)
    return ASGIResponse(
        body=page(shown),
        status_code=status,
        media_type="text/html",
        headers={
            **(headers or {}),
            "Content-Security-Policy": policy(asked.redirect_uri),
            "Set-Cookie": f"{COOKIE}={csrf}; Path=/oauth; HttpOnly; SameSite=Lax{secure}",
        },
    )


def _redirect(uri: str) -> ASGIResponse:
    return ASGIResponse(status_code=HTTPStatus.FOUND, headers={"Location": uri})


def _word(problem: Problem) -> str:
    """RFC 6749 §4.1.2.1."""
    if problem.row.status is HTTPStatus.BAD_REQUEST:
        return "access_denied"
    retried = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
    is_temporary = problem.row.status in retried or problem.row.status > HTTPStatus.INTERNAL_SERVER_ERROR
    return "temporarily_unavailable" if is_temporary else "server_error"


ROUTES = (authorize_page, authorize_by_form)
