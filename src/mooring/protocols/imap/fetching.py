"""UID FETCH as a stream of messages: any number of them, few in memory, two batches on the way.

The next batch is asked for before the one before it has come to its end, which RFC 9051 §5.5 allows, so that
the round trips of a long fetch overlap with its data.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from mooring.errors import InvalidRequest, MooringError, RemoteProtocolError
from mooring.protocols.imap.commands import Command, Verb
from mooring.protocols.imap.errors import ClientBusy
from mooring.protocols.imap.framing import MAX_LITERALS
from mooring.protocols.imap.refusals import refusal
from mooring.protocols.imap.sequence import ALL, UidSet
from mooring.protocols.imap.session import COMMAND_S, Session
from mooring.protocols.imap.spelling import MAX_UID
from mooring.protocols.imap.types import Event, FetchedMessage, Status, Tagged, Vanished

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one body that are kept unless the caller says otherwise; the largest mail that common servers accept."""

BATCH = 200
"""Messages of one UID FETCH with bodies: about 4 MB of average mail, many round trips' worth on any line."""

MAX_VANISHED = 1_000_000
"""Ranges of vanished UIDs that one fetch takes in: a mailbox of millions in which every other message is gone."""

_IN_FLIGHT = 2
"""Commands on the way at once; a third hides no further latency."""

_SECTIONS = frozenset({"", "HEADER", "TEXT"})


class FetchStream(AsyncIterator[FetchedMessage]):
    """The messages of one fetch, as they come. A UID that brings no message belongs to one that is gone.

    Nothing is sent before the first message is asked for. When the server refuses a batch, no further one is asked
    for, and the refusal is raised after the messages that were on the way. Another command on the same client ends
    the stream: what is on the way is then thrown away, and going on raises ClientBusy.
    """

    __slots__ = (
        "_advance",
        "_batches",
        "_failure",
        "_is_begun",
        "_is_exhausted",
        "_items",
        "_modifiers",
        "_ready",
        "_room_for_vanished",
        "_tags",
        "_uids",
        "_vanished",
        "_wants_body",
        "max_literal",
        "silence_s",
    )

    def __init__(
        self,
        advance: "Callable[[FetchStream], Awaitable[None]]",
        uids: UidSet,
        items: str,
        *,
        modifiers: str = "",
        max_literal: int | None,
        silence_s: float,
        newest_first: bool = False,
    ) -> None:
        self._advance = advance
        self._uids = uids
        self._items = items
        self._modifiers = modifiers
        self._wants_body = max_literal is not None
        self.max_literal = MAX_LITERALS if max_literal is None else max_literal
        self.silence_s = silence_s
        size = BATCH if self._wants_body else MAX_UID
        self._batches = uids.batches_from_the_top(size) if newest_first else uids.batches(size)
        self._ready: deque[FetchedMessage] = deque()
        self._tags: set[str] = set()
        self._failure: MooringError | None = None
        self._vanished: list[UidSet] = []
        self._room_for_vanished = MAX_VANISHED
        self._is_begun = False
        self._is_exhausted = False

    @property
    def vanished(self) -> UidSet:
        """The UIDs that are gone, if the fetch asked for them; complete once the stream has come to its end."""
        return UidSet.union(self._vanished)

    def __aiter__(self) -> "FetchStream":
        return self

    async def __anext__(self) -> FetchedMessage:
        if not self._ready:
            await self._advance(self)
        if self._ready:
            return self._ready.popleft()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        raise StopAsyncIteration

    @property
    def is_begun(self) -> bool:
        """Whether something was asked for."""
        return self._is_begun

    @property
    def is_waiting(self) -> bool:
        """Whether the next message depends on what the server still has to send."""
        return not self._ready and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether all that was asked for is answered, and nothing more will be asked for."""
        return self._is_exhausted and not self._tags

    def next_command(self) -> Command | None:
        """The next batch to ask for, unless enough is on the way."""
        self._is_begun = True
        if len(self._tags) >= _IN_FLIGHT or self._is_exhausted:
            return None
        batch = next(self._batches, None)
        if batch is None:
            self._is_exhausted = True
            return None
        arguments = [str(batch), self._items, self._modifiers] if self._modifiers else [str(batch), self._items]
        return Command(Verb.UID_FETCH, *arguments)

    def sent(self, tag: str) -> None:
        """Remember that this tag is ours."""
        self._tags.add(tag)

    def take(self, event: Event, host: str) -> bool:
        """Take in what belongs to this fetch; False when it does not."""
        match event:
            case FetchedMessage() if self._is_answer(event):
                self._ready.append(event)
            case Tagged(tag=tag) if tag in self._tags:
                self._tags.discard(tag)
                if event.status is not Status.OK:
                    self._failure = self._failure or refusal(host, Verb.UID_FETCH, event)
                    self._is_exhausted = True
            case Vanished(uids=uids, earlier=True):
                self._vanished.append(uids)
                self._room_for_vanished -= 1 + len(uids.ranges)
                if self._room_for_vanished < 0:
                    raise RemoteProtocolError(f"the server named more than {MAX_VANISHED} ranges of lost messages")
            case _:
                return False
        return True

    def _is_answer(self, event: FetchedMessage) -> bool:
        if not event.uid or (self._wants_body and event.body is None and not event.truncated):
            return False
        return event.uid in self._uids


class Fetching(Session):
    """Reading messages and their flags."""

    __slots__ = ()

    def fetch(
        self,
        uids: UidSet | Iterable[int],
        *,
        section: str = "",
        max_literal: int = MAX_BODY,
        newest_first: bool = False,
        silence_s: float = COMMAND_S,
    ) -> FetchStream:
        """Messages with flags, dates, sizes and bodies; reading them does not mark them as seen.

        Args:
            section: ``""`` for the whole message as it is, ``HEADER`` or ``TEXT`` for that part.
            max_literal: bytes; a larger body is thrown away while it is read, and its message says ``truncated``.
            newest_first: the batch with the highest UIDs first; only for a set that is not open at its end.
            silence_s: seconds that the server may stay silent.
        """
        if section not in _SECTIONS:
            raise InvalidRequest(f"{section!r} is not a part of a message that can be fetched")
        items = f"(UID FLAGS INTERNALDATE RFC822.SIZE {self._modseq()}BODY.PEEK[{section}])"
        return FetchStream(
            self._advance,
            UidSet.of(uids),
            items,
            max_literal=max_literal,
            silence_s=silence_s,
            newest_first=newest_first,
        )

    def fetch_flags(
        self,
        uids: UidSet | Iterable[int] = ALL,
        *,
        changed_since: int | None = None,
        vanished: bool = False,
        silence_s: float = COMMAND_S,
    ) -> FetchStream:
        """UIDs and flags (and MODSEQ, where there is one) without bodies.

        Args:
            changed_since: only messages that changed after this MODSEQ; the server must offer CONDSTORE.
            vanished: also learn which of ``uids`` are gone since then; QRESYNC must be enabled.
        Source: RFC 7162 §3.1.4.1 and §3.2.6.
        """
        if vanished and (changed_since is None or "QRESYNC" not in self.enabled):
            raise InvalidRequest("what vanished can only be asked for with changed_since, and with QRESYNC enabled")
        modifiers = "" if changed_since is None else f"(CHANGEDSINCE {changed_since}{' VANISHED' * vanished})"
        items = f"(UID FLAGS {self._modseq()}".rstrip() + ")"
        return FetchStream(
            self._advance, UidSet.of(uids), items, modifiers=modifiers, max_literal=None, silence_s=silence_s
        )

    async def _advance(self, fetch: FetchStream) -> None:
        """Read until the fetch has a message ready or has come to its end."""
        if fetch.is_over:
            return
        with self._exclusive():
            if not fetch.is_begun:
                self._owner = None
                await self._settle(self._deadline(fetch.silence_s))
                self._owner = fetch
                self._wire.expect_sizes(literals=fetch.max_literal)
            elif self._owner is not fetch:
                raise ClientBusy("another command was given on this connection, which ended the fetch")
            while True:
                await self._hear(fetch)
                await self._ask_for_more(fetch)
                if not fetch.is_waiting:
                    break
                await self._read(fetch.silence_s)
            if fetch.is_over:
                self._owner = None
                self._wire.expect_sizes()

    async def _ask_for_more(self, fetch: FetchStream) -> None:
        while (command := fetch.next_command()) is not None:
            fetch.sent(self._wire.start(command))
            await self._flush(self._deadline(fetch.silence_s))

    async def _hear(self, fetch: FetchStream) -> None:
        """Go through what was received, to the last whole response."""
        while (event := await self._heard()) is not None:
            if not fetch.take(event, self._stream.host):
                self._keep(self._checked(event))

    def _modseq(self) -> str:
        mailbox = self._wire.mailbox
        return "MODSEQ " if mailbox is not None and mailbox.highest_modseq is not None else ""
