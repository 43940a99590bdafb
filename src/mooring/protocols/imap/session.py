"""Commands over a stream: send, read until the end of the command, and let nothing that is said on the way get lost.

One task at a time uses a session. What the server says unasked is kept for ``take_events``. A failure of the
stream, or of the protocol, ends the session: every later call raises it again. A refusal (NO, BAD) does not.
A command that was cancelled while its answer was awaited is read to its end before the next one is sent.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mooring.errors import (
    ConnectionLost,
    NetworkError,
    ReadTimeout,
    RemoteProtocolError,
)
from mooring.net import Stream
from mooring.protocols.imap.commands import Command, Verb
from mooring.protocols.imap.connection import Connection
from mooring.protocols.imap.errors import ClientBusy, NotOffered
from mooring.protocols.imap.framing import MAX_LINE
from mooring.protocols.imap.mailbox import Mailbox
from mooring.protocols.imap.refusals import goodbye, refusal
from mooring.protocols.imap.states import State
from mooring.protocols.imap.types import (
    Capabilities,
    Continuation,
    Event,
    FetchedMessage,
    News,
    ResponseText,
    Status,
    StatusResponse,
    Tagged,
)
from mooring.steps import gently

COMMAND_S = 60.0
"""Seconds for a whole command. Real servers answer within a few; some scan a mailbox first."""

MAX_KEPT = 200_000
"""Responses kept for one command, or unasked between two ``take_events``; a server that sends more floods us."""

MAX_KEPT_SIZE = 32 * 1024 * 1024
"""Bytes of the same; the longest honest ones are SEARCH and the list of what changed in a large mailbox."""

_LONG = 16 * 1024
"""Bytes of a response that are read in one go; SEARCH may answer with thousand times as many."""

_SEND_PIECE = 256 * 1024
"""Bytes handed to the stream at once, so that the time-out of a send is one of progress."""

T = TypeVar("T")


class Reply:
    """The good end of a command, and what the server said until then.

    Attributes:
        text: of the tagged OK.
        results: in the order they came.
    """

    __slots__ = ("results", "text")

    def __init__(self, text: ResponseText, results: list[News]) -> None:
        self.text = text
        self.results = results

    def of(self, kind: type[T]) -> list[T]:
        """The results of one type."""
        return [result for result in self.results if isinstance(result, kind)]

    def last(self, kind: type[T]) -> T | None:
        """The last result of one type."""
        found = self.of(kind)
        return found[-1] if found else None


class Kept:
    """What the server said, until somebody takes it: as much as an honest server has to say, and no more."""

    __slots__ = ("_size", "events")

    def __init__(self) -> None:
        self.events: list[News] = []
        self._size = 0

    def add(self, event: News, size: int) -> None:
        """Keep one more.

        Args:
            size: bytes that it took on the wire.
        Raises:
            RemoteProtocolError: this is a flood.
        """
        self._size += size
        if len(self.events) >= MAX_KEPT or self._size > MAX_KEPT_SIZE:
            raise RemoteProtocolError(f"the server sent {len(self.events)} responses ({self._size} bytes) at once")
        self.events.append(event)

    def take(self) -> list[News]:
        """All of it, in order; it is kept no longer."""
        events, self.events, self._size = self.events, [], 0
        return events


class Session:
    """What all the groups of commands of a client stand on."""

    __slots__ = ("_broken", "_busy", "_events", "_owner", "_stream", "_wire")

    def __init__(self, stream: Stream) -> None:
        """
        Args:
            stream: open; implicit TLS, where there is any, is already done. The session closes it.
        """
        self._stream = stream
        self._wire = Connection()
        self._events = Kept()
        self._broken: NetworkError | RemoteProtocolError | None = None
        self._busy = False
        self._owner: object = None

    @property
    def state(self) -> State:
        return self._wire.state

    @property
    def stream(self) -> Stream:
        """The connection, for whoever wants to know where it leads."""
        return self._stream

    @property
    def mailbox(self) -> Mailbox | None:
        """The selected mailbox, kept up to date with every response."""
        return self._wire.mailbox

    @property
    def enabled(self) -> frozenset[str]:
        """The extensions that ENABLE switched on."""
        return self._wire.enabled

    def take_events(self) -> list[News]:
        """What the server said unasked, in order, since the last call; each thing is given once.

        Sequence numbers in it are those of the mailbox that was selected then: take it before selecting another.
        """
        return self._events.take()

    async def aclose(self) -> None:
        """Close the stream at once, without a word to the server. Never raises."""
        self._broken = self._broken or ConnectionLost(f"the connection to {self._stream.host} was closed by us")
        await self._stream.aclose()

    async def capabilities(self, *, timeout_s: float = COMMAND_S) -> frozenset[str]:
        """What the server offers at this moment, in capitals; it is asked only when it has not said so already."""
        if self._wire.capabilities is None:
            await self._run(Command(Verb.CAPABILITY), timeout_s=timeout_s, collect=(Capabilities,))
        return self._wire.capabilities or frozenset()

    async def _offers(self, *names: str, timeout_s: float = COMMAND_S) -> bool:
        """Whether any of these is offered."""
        return not (await self.capabilities(timeout_s=timeout_s)).isdisjoint(names)

    async def _demand(self, name: str, *, timeout_s: float = COMMAND_S) -> None:
        if not await self._offers(name, timeout_s=timeout_s):
            raise NotOffered(f"{self._stream.host} does not offer {name}", capability=name)

    async def _run(
        self,
        command: Command,
        *,
        timeout_s: float,
        collect: tuple[type[News], ...] = (),
        select: Mailbox | None = None,
        respond: Callable[[bytes], bytes] | None = None,
        max_line: int = MAX_LINE,
    ) -> Reply:
        """Send one command and read until its end.

        Args:
            timeout_s: seconds for all of it.
            collect: kinds of responses that are its result; others are kept for ``take_events``.
            select: the mailbox that the command selects.
            respond: the answer to a continuation request.
            max_line: bytes that one response may have outside its literals.
        Raises:
            ServerRefused: NO; BadCommand: BAD; AuthenticationFailed where it is one.
            SaidGoodbye, ConnectionLost, ReadTimeout, WriteTimeout, RemoteProtocolError: the session is over.
        """
        deadline = self._deadline(timeout_s)
        with self._exclusive(fragile=respond is not None):
            self._owner = None
            await self._settle(deadline)
            self._wire.expect_sizes(line=max_line)
            tag = self._wire.start(command) if select is None else self._wire.select(command, select)
            results = Kept()
            while True:
                event = await self._next_event(deadline)
                match event:
                    case Tagged() if event.tag == tag:
                        return self._ended(command.verb, event, results.take())
                    case Continuation(text=text):
                        if respond is None:
                            raise RemoteProtocolError("the server asked for more of a command that was complete")
                        self._wire.reply(respond(text))
                    case _ if isinstance(event, collect):
                        results.add(event, self._wire.last_size)
                    case _:
                        self._keep(event)

    def _ended(self, verb: Verb, event: Tagged, results: list[News]) -> Reply:
        if event.text.code == "ALERT":
            self._keep(StatusResponse(event.status, event.text))
        if event.status is not Status.OK:
            for result in results:
                self._keep(result)
            raise refusal(self._stream.host, verb, event)
        return Reply(event.text, results)

    async def _settle(self, deadline: float) -> None:
        """Bring what was abandoned to its end: fetched bodies are thrown away, all else is kept as news."""
        if self._wire.pending:
            self._wire.expect_sizes(literals=0)
        while self._wire.pending:
            if self._wire.is_idling:
                self._wire.end_idle()
            event = await self._next_event(deadline)
            self._keep(event)

    async def _next_event(self, deadline: float) -> Event:
        """Whatever comes next; what is lined up is sent before anything is waited for."""
        while True:
            event = await self._heard()
            await self._flush(deadline)
            if event is not None:
                return self._checked(event)
            await self._read(self._left(deadline))

    async def _heard(self) -> Event | None:
        """What the server said next, or None when more bytes are needed; others run while a long one is read."""
        while (response := self._wire.next_response()) is not None:
            if len(response.line) <= _LONG:
                return self._wire.next_event()
            if (event := self._wire.follow(response, await gently(self._wire.reading(response)))) is not None:
                return event
        return None

    def _checked(self, event: Event) -> Event:
        """The event, unless it is a BYE in the middle of a command other than LOGOUT."""
        match event:
            case StatusResponse(status=Status.BYE) if self._wire.pending and not self._is_leaving():
                raise goodbye(self._stream.host, event)
            case _:
                return event

    async def _flush(self, deadline: float) -> None:
        """Send what is lined up, small pieces together."""
        pieces = self._wire.data_to_send()
        if not pieces:
            return
        sent = False
        try:
            for piece in _parcels(pieces):
                await self._stream.send(piece, timeout_s=self._left(deadline))
            sent = True
        finally:
            if not sent and self._broken is None:
                self._broken = ConnectionLost(f"a command to {self._stream.host} was cut off while it was sent")

    async def _read(self, timeout_s: float | None) -> None:
        """Take in one chunk."""
        data = await self._stream.receive(timeout_s=timeout_s)
        if not data:
            where = "" if self._wire.is_between_responses else " in the middle of a response"
            raise ConnectionLost(f"{self._stream.host} closed the connection{where}")
        self._wire.receive_data(data)

    def _deadline(self, timeout_s: float) -> float:
        return asyncio.get_running_loop().time() + timeout_s

    def _left(self, deadline: float) -> float:
        """Seconds until then."""
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise ReadTimeout(f"{self._stream.host} did not finish its answer in time")
        return left

    def _keep(self, event: Event) -> None:
        """Keep news for ``take_events``, without the bodies that somebody no longer waits for."""
        if isinstance(event, Tagged | Continuation):
            return
        if isinstance(event, FetchedMessage) and (event.body is not None or event.truncated):
            event = FetchedMessage(
                event.uid, event.sequence, event.flags, event.internal_date, event.size, event.modseq
            )
        self._events.add(event, self._wire.last_size)

    def _is_leaving(self) -> bool:
        return Verb.LOGOUT in self._wire.pending.values()

    @contextmanager
    def _exclusive(self, *, fragile: bool = False) -> Generator[None]:
        """One task at a time; and whatever breaks the session is remembered.

        Args:
            fragile: the exchange cannot be taken up again by another command once it is interrupted.
        """
        if self._broken is not None:
            raise self._broken.with_traceback(None)
        if self._busy:
            raise ClientBusy(f"another task is using this connection to {self._stream.host}")
        self._busy = True
        try:
            yield
        except (NetworkError, RemoteProtocolError) as e:
            self._broken = e
            raise
        except asyncio.CancelledError:
            if fragile or self._wire.is_waiting_to_send:
                self._broken = ConnectionLost(f"a command to {self._stream.host} was given up half-way")
            raise
        finally:
            self._busy = False


def _parcels(pieces: list[bytes]) -> Iterator[bytes]:
    """The same bytes in as few parts as may be, none longer than one send should be, large ones not copied twice."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) <= _SEND_PIECE:
            small.append(piece)
            size += len(piece)
            continue
        if small:
            yield b"".join(small)
        small, size = [], 0
        for at in range(0, len(piece), _SEND_PIECE):
            yield piece[at : at + _SEND_PIECE]
    if small:
        yield b"".join(small)
