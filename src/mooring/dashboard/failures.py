"""Errors as pages: what happened, and what to do next."""

import traceback
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from urllib.parse import quote

import structlog
from litestar import Response
from litestar.exceptions import HTTPException

from mooring import errors
from mooring.dashboard.doors import Req
from mooring.dashboard.pages import drawn, html, see_other
from mooring.ids import new_id
from mooring.operators import TooManyAttempts
from mooring.store import StoreUnavailable

log = structlog.get_logger()

SIGN_IN = "/dashboard/sign-in"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a page about an error says.

    Attributes:
        title: in a few words; message, hint: what happened, and what to do next.
    """

    status: HTTPStatus
    title: str
    message: str
    hint: str


_KNOWN: dict[type[BaseException], tuple[HTTPStatus, str]] = {
    errors.Unauthorized: (HTTPStatus.UNAUTHORIZED, "You are not signed in"),
    errors.Forbidden: (HTTPStatus.FORBIDDEN, "That is not allowed"),
    errors.NotFound: (HTTPStatus.NOT_FOUND, "There is nothing here"),
    errors.Conflict: (HTTPStatus.CONFLICT, "Things have changed meanwhile"),
    errors.InvalidRequest: (HTTPStatus.BAD_REQUEST, "That cannot be done"),
    TooManyAttempts: (HTTPStatus.TOO_MANY_REQUESTS, "Wait a little"),
}

_LOOK_AGAIN = "Check the address, or start from the applications."


def failure_of(error: BaseException) -> Failure | None:
    """What is said of this error; None when nobody foresaw it."""
    if isinstance(error, StoreUnavailable):
        message = "The database does not answer just now; nothing is known to have been done."
        return Failure(HTTPStatus.SERVICE_UNAVAILABLE, "We are not well", message, "Try again in a moment.")
    if isinstance(error, HTTPException):
        return _frameworks(error)
    if isinstance(error, errors.MooringError):
        row = next((_KNOWN[kind] for kind in type(error).__mro__ if kind in _KNOWN), None)
        return Failure(*row, error.message, error.hint) if row else None
    return None


def answer_failure(request: Req, error: Exception) -> Response[bytes]:
    """The page about an error; who is not signed in is led to where one signs in."""
    failure = failure_of(error) or _defect(request, error)
    by_script = "hx-request" in request.headers
    if failure.status is HTTPStatus.UNAUTHORIZED and by_script:
        return html("", status=failure.status, headers={"HX-Redirect": SIGN_IN})
    if failure.status is HTTPStatus.UNAUTHORIZED and request.method == "GET":
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return see_other(f"{SIGN_IN}?next={quote(asked, safe='')}")
    headers = {"Retry-After": str(ceil(error.wait_s))} if isinstance(error, TooManyAttempts) else {}
    return html(drawn("error.html", failure=failure), status=failure.status, headers=headers)


def _frameworks(error: HTTPException) -> Failure | None:
    """What the framework refuses by itself, in our words."""
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return Failure(HTTPStatus.NOT_FOUND, "There is nothing here", "No page has this address.", _LOOK_AGAIN)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            message = "This address is for looking, or for sending a form, and not for what was tried."
            return Failure(HTTPStatus.METHOD_NOT_ALLOWED, "Not in this way", message, _LOOK_AGAIN)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            message = "What was sent is larger than any form here."
            return Failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too much", message, "Write a shorter note.")
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            message = "What your browser sent could not be read."
            return Failure(
                HTTPStatus(status), "That cannot be done", message, "Load the page again, and try once more."
            )
        case _:
            return None


def _defect(request: Req, error: Exception) -> Failure:
    """Log what nobody foresaw, once; the page carries a number alone, by which it is found in the log."""
    number = new_id()
    lines = "".join(traceback.format_exception(error))
    log.error("dashboard.defect", number=number, method=request.method, path=request.url.path, exception=lines)
    message = "Something went wrong on our side; nothing is known to have been done."
    hint = f"Try again. If it stays so, look for {number} in the log of the API."
    return Failure(HTTPStatus.INTERNAL_SERVER_ERROR, "We are not well", message, hint)
