"""Answers without a known end: server-sent events (WHATWG HTML, 9.2), each as it happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

EVENT_STREAM = "text/event-stream"

Event = tuple[int, str, Any]
"""Number, kind, and what is told, as JSON."""

_QUIET = b": nothing new\n\n"


class Stream(ASGIResponse):
    """These events; None is a comment, so that nobody in between takes the stream for dead."""

    _should_set_content_length = False

    def __init__(self, events: AsyncGenerator[Event | None]) -> None:
        self._events = events
        super().__init__(media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})

    async def send_body(self, send: Any, receive: Any) -> None:
        """Send each event at once, until there are no more, or whoever listens has gone."""
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not telling.done():
                telling.cancel()
            results = await asyncio.gather(telling, leaving, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    async def _tell(self, send: Any) -> None:
        # Whoever listens is told at once that it is heard.
        await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
        async with aclosing(self._events) as events:
            async for event in events:
                body = _QUIET if event is None else _written(event)
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _written(event: Event) -> bytes:
    number, kind, data = event
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, kind.encode(), msgspec.json.encode(data))


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
