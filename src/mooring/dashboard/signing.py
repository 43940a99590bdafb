"""Signing in and out."""

from http import HTTPStatus
from math import ceil

from litestar import Response

from mooring.dashboard.cookies import FORM, SESSION, ended, form_cookie, session_cookie
from mooring.dashboard.doors import Req, Visit, fetch_site, form_of, page, route, services_of
from mooring.dashboard.forgery import FIELD, require_genuine
from mooring.dashboard.pages import drawn, html, see_other
from mooring.errors import MooringError
from mooring.ids import new_secret
from mooring.operators import TooManyAttempts, WrongPassword

HOME = "/dashboard/applications"
_FORM_LETTERS = 43
"""Of a sign-in form's token: 256 bits in base64."""


@page("GET", "/dashboard")
async def home(_visit: Visit) -> Response[bytes]:
    return see_other(HOME)


@route("GET", "/dashboard/sign-in")
async def sign_in_form(request: Req) -> Response[bytes]:
    return _form(request, after=request.query_params.get("next", ""))


@route("POST", "/dashboard/sign-in")
async def sign_in(request: Req) -> Response[bytes]:
    services, form = services_of(request), await form_of(request)
    require_genuine(form.get(FIELD, ""), request.cookies.get(FORM, ""), fetch_site(request))
    name, after = form.get("name", ""), form.get("next", "")
    try:
        token = await services.operators.sign_in(name, form.get("password", ""), address=address_of(request))
    except WrongPassword as e:
        return _form(request, after=after, name=name, error=e, status=HTTPStatus.UNAUTHORIZED)
    except TooManyAttempts as e:
        wait_s = ceil(e.wait_s)
        e.hint = f"Wait {wait_s} seconds, then try again."
        answer = _form(request, after=after, name=name, error=e, status=HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    cookies = [session_cookie(services, token), ended(services, FORM)]
    return see_other(after if _is_ours(after) else HOME, cookies=cookies)


@page("POST", "/dashboard/sign-out")
async def sign_out(visit: Visit) -> Response[bytes]:
    await visit.services.operators.sign_out(visit.session)
    return see_other("/dashboard/sign-in", cookies=[ended(visit.services, SESSION)])


def address_of(request: Req) -> str:
    """The address that the connection came from."""
    return request.client.host if request.client else ""


def _form(
    request: Req,
    *,
    after: str,
    name: str = "",
    error: MooringError | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response[bytes]:
    known = request.cookies.get(FORM, "")
    # One that is open in another tab stays good.
    token = known if len(known) == _FORM_LETTERS else new_secret()
    text = drawn("sign_in.html", form_token=token, name=name, next=after if _is_ours(after) else "", error=error)
    return html(text, status=status, cookies=[form_cookie(services_of(request), token)])


def _is_ours(path: str) -> bool:
    """Whether this leads to a page of the dashboard, and to no other site."""
    return path.startswith("/dashboard/") and path.isascii() and path.isprintable() and "\\" not in path


ROUTES = (home, sign_in_form, sign_in, sign_out)
