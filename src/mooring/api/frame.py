"""The outermost layer: what every request and every answer has, whatever happens in between.

A request gets its canonical path and its id; an answer carries that id, says that it must not be cached or
sniffed, and is counted by its route. An error that nothing inside could answer is answered here.
"""

from typing import TYPE_CHECKING, Any

from mooring.api import http
from mooring.api.arrivals import Arrival, Shape, arrive, template_of
from mooring.api.metrics import observe
from mooring.api.paths import canonical
from mooring.clock import Clock

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_V2: tuple[tuple[bytes, bytes], ...] = ((b"nylas-api-version", b"2.5"),)


class Frame:
    """Wraps the application that routes."""

    def __init__(self, app: "ASGIApp", clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inner: Any = dict(scope)
        path = canonical(scope.get("raw_path") or scope["path"].encode())
        inner["path"] = path
        arrival = arrive(inner, path)
        inner["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]
        answer = _Answer(send, arrival, bodiless=scope["method"] == "HEAD")
        started_s = self._clock.monotonic()
        try:
            await self._app(inner, receive, answer.send)
        except Exception as error:
            problem = http.unexpected(error, arrival, scope["method"], template_of(inner))
            if answer.status:
                raise
            await answer.write(problem.row.status, http.write(problem, arrival))
        finally:
            observe(scope["method"], template_of(inner), answer.status, self._clock.monotonic() - started_s)


class _Answer:
    """One answer on its way out."""

    def __init__(self, send: "Send", arrival: Arrival, *, bodiless: bool) -> None:
        self._send = send
        self._bodiless = bodiless
        self._headers = [(b"x-request-id", arrival.request_id.encode()), *_ALWAYS]
        if arrival.shape is Shape.BARE:
            self._headers.extend(_V2)
        self.status = 0

    async def send(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers]
        elif message["type"] == "http.response.body" and self._bodiless:
            message["body"] = b""
        await self._send(message)

    async def write(self, status: int, body: bytes) -> None:
        """Answer with this JSON."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
