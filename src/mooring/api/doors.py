"""How a route is declared: what it answers, which query parameters and body it takes, how large that may be.

The declaration is what routes and what ``/docs`` shows, so the two cannot differ.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from mooring.api.services import Services

Req = Request[Any, Any, Any]
Handler = Callable[..., Awaitable[ASGIResponse]]
"""Takes the request, by that name, or nothing."""

JSON_LIMIT = 1024 * 1024
"""Bytes of an ordinary request body: far above any settings object."""


@dataclass(frozen=True, slots=True)
class Doc:
    """What ``/docs`` says about a route.

    Attributes:
        answer: the type of the whole body, or a media type where it is not JSON.
        query: its query parameters; refused: those that the SDKs send as well, and that we do not support.
        body: the type of the request's body, or None.
        secured: whether it asks who is calling.
    """

    answer: Any
    status: int
    query: tuple[str, ...]
    refused: tuple[str, ...]
    body: Any
    secured: bool


def door(
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    *,
    answer: Any,
    query: tuple[str, ...] = (),
    refused: tuple[str, ...] = (),
    body: Any = None,
    status: int = 200,
    body_limit: int = JSON_LIMIT,
    secured: bool = True,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Declare a route; the handler's docstring is its summary.

    Args:
        body_limit: bytes; more is answered 413.
    """
    doc = Doc(answer=answer, status=status, query=query, refused=refused, body=body, secured=secured)
    return cast(
        "Callable[[Handler], HTTPRouteHandler]",
        HTTPRouteHandler(
            path, http_method=method, status_code=status, opt={"doc": doc}, request_max_body_size=body_limit
        ),
    )


def services_of(request: Req) -> Services:
    """What the bootstrap handed to ``create_app``."""
    return cast("Services", request.app.state["services"])
