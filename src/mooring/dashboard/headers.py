"""The outermost layer of the dashboard: what every answer of it says to the browser."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing written into a page: what somebody smuggles into one is text. A report, which carries
its own style, says so in a policy of its own."""

_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_FRESH = (b"cache-control", b"no-store")
"""A page must not be found again after signing out."""


class Headers:
    """Wraps the application that routes."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bodiless = scope["method"] == "HEAD"
        inner: Any = {**scope, "method": "GET"} if bodiless else scope

        async def with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in (*_ALWAYS, _FRESH) if name not in said),
                ]
            elif message["type"] == "http.response.body" and bodiless:
                message["body"] = b""
            await send(message)

        await self._app(inner, receive, with_headers)
