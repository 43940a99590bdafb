"""Waiting for news, and travelling compressed."""

from mooring.errors import ReadTimeout
from mooring.protocols.imap.commands import Command, Verb
from mooring.protocols.imap.compression import DeflateStream
from mooring.protocols.imap.refusals import refusal
from mooring.protocols.imap.session import COMMAND_S, Session
from mooring.protocols.imap.types import Event, Exists, Expunge, FetchedMessage, News, Tagged, Vanished

IDLE_S = 28 * 60.0
"""Seconds. A server may log out who has been silent for 30 minutes, and IDLE counts as silence (RFC 2177 §3)."""

_NEWS = Exists | Expunge | Vanished | FetchedMessage


class Idling(Session):
    """IDLE and COMPRESS."""

    __slots__ = ()

    async def idle(self, *, timeout_s: float = IDLE_S, reply_s: float = COMMAND_S) -> list[News]:
        """Wait until something happens in the selected mailbox, and return all that the server said unasked.

        Returns at once when there is news already that nobody took. When the time is over, the list is empty or
        holds no more than the server's remarks.

        May be cancelled at any moment: the next command then ends the IDLE first.

        Args:
            timeout_s: seconds to wait.
            reply_s: seconds for the server to begin, and to end, the IDLE.
        Raises:
            NotOffered: the server has no IDLE; ask by NOOP from time to time.
        Source: RFC 2177.
        """
        await self._demand("IDLE", timeout_s=reply_s)
        if not any(isinstance(event, _NEWS) for event in self._events.events):
            with self._exclusive():
                self._owner = None
                await self._settle(self._deadline(reply_s))
                self._wire.expect_sizes()
                self._wire.start(Command(Verb.IDLE))
                await self._until_idling(self._deadline(reply_s))
                await self._until_news(self._deadline(timeout_s))
                await self._settle(self._deadline(reply_s))
        return self.take_events()

    async def compress(self, *, timeout_s: float = COMMAND_S) -> None:
        """Deflate both directions from here on; costs about 80 KiB of memory for each connection.

        Raises:
            NotOffered.
        Source: RFC 4978.
        """
        await self._demand("COMPRESS=DEFLATE", timeout_s=timeout_s)
        await self._run(Command(Verb.COMPRESS, "DEFLATE"), timeout_s=timeout_s)
        self._stream = DeflateStream(self._stream, self._wire.take_rest())

    async def _until_idling(self, deadline: float) -> None:
        while not self._wire.is_idling:
            event = await self._next_event(deadline)
            if isinstance(event, Tagged):
                raise refusal(self._stream.host, Verb.IDLE, event)
            self._keep(event)

    async def _until_news(self, deadline: float) -> None:
        """Keep what is said until there is news among it, the server ends the IDLE, or the time is over."""
        event: Event | None = None
        while self._wire.pending and not isinstance(event, _NEWS):
            event = await self._heard()
            if event is not None:
                self._keep(self._checked(event))
                continue
            try:
                await self._read(self._left(deadline))
            except ReadTimeout:
                return
