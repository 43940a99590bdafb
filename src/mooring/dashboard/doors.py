"""How a page is declared: whoever it is for is known, and a form is ours, before any handler runs."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from mooring.dashboard.cookies import SESSION
from mooring.dashboard.forgery import FIELD, form_token, require_genuine
from mooring.dashboard.services import Services
from mooring.errors import NotFound, Unauthorized
from mooring.operators import Operator

Req = Request[Any, Any, Any]

Method = Literal["GET", "POST"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in asks for something.

    Attributes:
        session: the token of the session.
        form: what was filled in; empty for a page that is only looked at.
    """

    request: Req
    services: Services
    operator: Operator
    session: str = field(repr=False)
    form: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


Opened = Callable[[Req], Awaitable[Response[Any]]]
"""Answers whoever asks."""
Handler = Callable[[Visit], Awaitable[Response[Any]]]
"""Answers somebody who is signed in."""


def page(method: Method, path: str) -> Callable[[Handler], HTTPRouteHandler]:
    """Declare a page, or where a form is sent, for people who are signed in.

    Raises, when it is asked for:
        Unauthorized: nobody is signed in.
        Forbidden: the form is none of ours.
    """

    def declare(handler: Handler) -> HTTPRouteHandler:
        async def answer(request: Req) -> Response[Any]:
            return await handler(await visit_of(request))

        return route(method, path)(answer)

    return declare


def route(method: Method, path: str) -> Callable[[Opened], HTTPRouteHandler]:
    """Declare what is there for everybody."""
    return cast(
        "Callable[[Opened], HTTPRouteHandler]",
        HTTPRouteHandler(path, http_method=method),
    )


def services_of(request: Req) -> Services:
    """What ``create_dashboard`` was handed."""
    return cast("Services", request.app.state["services"])


async def visit_of(request: Req) -> Visit:
    """Who asks, and with which form.

    Raises:
        Unauthorized, Forbidden.
    """
    services, session = services_of(request), request.cookies.get(SESSION, "")
    if not session:
        raise Unauthorized("You are not signed in.", hint="Sign in.")
    operator = await services.operators.by_session(session)
    form: Mapping[str, str] = {}
    if request.method != "GET":
        form = await form_of(request)
        require_genuine(form.get(FIELD, ""), form_token(session), fetch_site(request))
    return Visit(request, services, operator, session, form)


async def form_of(request: Req) -> dict[str, str]:
    """What was filled in; files are none of ours."""
    return {key: value for key, value in (await request.form()).items() if isinstance(value, str)}


def identifier(request: Req, name: str) -> str:
    """An id in the path.

    Raises:
        NotFound: nothing has an id like this.
    """
    value = str(request.path_params[name])
    if _ID.fullmatch(value) is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    return value


def fetch_site(request: Req) -> str | None:
    """Where the browser says that the request comes from."""
    return request.headers.get("sec-fetch-site")
