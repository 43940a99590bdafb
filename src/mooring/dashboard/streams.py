"""What changes while somebody looks: server-sent events, each a piece of the page drawn anew.

A stream looks every two seconds, or when something is due, sends the pieces that differ from what the page has, and
asks again each time whether the session still lasts. It ends after some minutes, and browsers come back by themselves.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from litestar.response.sse import ServerSentEvent, ServerSentEventMessage
from markupsafe import Markup

from mooring.dashboard.doors import Req, Visit, services_of, visit_of
from mooring.dashboard.pages import drawn
from mooring.errors import NotFound, Unauthorized
from mooring.store import StoreUnavailable

LOOK_S = 2.0
LONGEST_S = 600.0
QUIET_LOOKS = 10
"""Looks without news after which a comment is sent, so that nobody in between takes the stream for dead."""

SOONEST_S = 0.05
"""Between two looks, whatever is due."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece that holds other pieces, or forms: sent for what it is, and not for each change of what is in it.

    It comes before the pieces in it. Whoever fills in a form of it is left alone for as long as the form is right.

    Attributes:
        key: another one means another frame.
    """

    html: Markup
    key: str

    def __html__(self) -> str:
        return self.html


Pieces = Mapping[str, Markup | Frame]
"""HTML by the name of the event that brings it."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What a look has found.

    Attributes:
        again_s: seconds until the next look.
        last: whether nothing changes any more, so that the stream ends.
    """

    pieces: Pieces
    again_s: float = LOOK_S
    last: bool = False


def seen(pieces: Pieces) -> str:
    """What a page has of its pieces, for the address of its stream: that is not sent again."""
    return ",".join(_digest(name, piece) for name, piece in pieces.items())


def stream(request: Req, look: Callable[[Visit], Awaitable[Glance]]) -> ServerSentEvent:
    """The stream that answers this request, as long as whoever asks may see what is looked at."""
    return ServerSentEvent(_events(request, look))


async def _events(request: Req, look: Callable[[Visit], Awaitable[Glance]]) -> AsyncGenerator[ServerSentEventMessage]:
    services = services_of(request)
    had = frozenset(request.query_params.get("seen", "").split(","))
    sent: dict[str, str] = {}
    quiet = 0
    ends = services.clock.monotonic() + LONGEST_S
    while services.clock.monotonic() < ends and not services.stopping.is_set():
        glance = Glance({})
        try:
            # While the database is away there is nothing to tell; the next look may have it.
            with suppress(StoreUnavailable):
                glance = await look(await visit_of(request))
        except (Unauthorized, NotFound) as error:
            yield ServerSentEventMessage(drawn("_notice.html", error=error), event="notice")
            yield ServerSentEventMessage("", event="ended")
            return
        quiet += 1
        for name, piece in glance.pieces.items():
            digest = _digest(name, piece)
            if sent.get(name, digest if digest in had else "") != digest:
                quiet = 0
                yield ServerSentEventMessage(piece.__html__(), event=name)
            sent[name] = digest
        if glance.last:
            yield ServerSentEventMessage("", event="ended")
            return
        if quiet >= QUIET_LOOKS:
            quiet = 0
            yield ServerSentEventMessage(comment="nothing new")
        with suppress(TimeoutError):
            await asyncio.wait_for(services.stopping.wait(), max(SOONEST_S, glance.again_s))


def _digest(name: str, piece: Markup | Frame) -> str:
    told = piece.key if isinstance(piece, Frame) else piece
    return hashlib.sha256(f"{name} {told}".encode("utf-8", "replace")).hexdigest()[:8]
