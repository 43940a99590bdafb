"""The API as one ASGI application."""

from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.datastructures import State

from mooring.api import allowlist, health, v2, v3
from mooring.api.doors import JSON_LIMIT
from mooring.api.frame import Frame
from mooring.api.http import answer_error
from mooring.api.limits import Limits
from mooring.api.openapi import docs_routes
from mooring.api.options import options_routes
from mooring.api.queries import only_declared
from mooring.api.services import Services

if TYPE_CHECKING:
    from litestar.types import ASGIApp

MAX_PARTS = 200
"""Parts of a multipart body: a message and its attachments."""


def create_app(services: Services, *, rate_limits: bool = True) -> "ASGIApp":
    """The API over these services, to be handed to any ASGI server.

    Args:
        rate_limits: whether callers that call too often are refused.
    """
    routes = (*health.ROUTES, *allowlist.ROUTES, *v3.ROUTES, *v2.ROUTES)
    routes = (*routes, *docs_routes(routes))
    routed = Litestar(
        route_handlers=[*options_routes(routes), *routes],
        guards=[only_declared],
        exception_handlers={Exception: answer_error},
        state=State({"services": services, "limits": Limits(services.clock, on=rate_limits)}),
        request_max_body_size=JSON_LIMIT,
        multipart_form_part_limit=MAX_PARTS,
        openapi_config=None,
        logging_config=None,
    )
    return Frame(routed, services.clock)
