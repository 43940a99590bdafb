"""OPTIONS on every path: which methods it takes. The framework's own answer knows only the first that was declared."""

from collections import defaultdict
from collections.abc import Iterable

from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse


def options_routes(handlers: Iterable[HTTPRouteHandler]) -> tuple[HTTPRouteHandler, ...]:
    """One handler for each path; they must be registered before the others."""
    methods: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for handler in handlers:
        for path in handler.paths:
            methods[path] |= {str(method) for method in handler.http_methods}
    return tuple(_options(path, taken | ({"HEAD"} if "GET" in taken else set())) for path, taken in methods.items())


def _options(path: str, methods: set[str]) -> HTTPRouteHandler:
    allow = {"Allow": ", ".join(sorted(methods))}

    async def options() -> ASGIResponse:
        """Say which methods this path takes."""
        return ASGIResponse(status_code=204, headers=allow)

    return HTTPRouteHandler(path, http_method="OPTIONS", name=f"options:{path}")(options)
