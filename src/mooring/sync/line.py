"""One fetch, on its way into the stored copy: what comes is parsed and written while more is fetched."""

import asyncio
from array import array

import structlog

from mooring.errors import MooringError
from mooring.mail import Arrival, Folder, MailWriter, Obstacle, Unstorable
from mooring.protocols.imap import FetchedMessage, ImapClient, UidSet
from mooring.sync.budget import Means, Share

log = structlog.get_logger()

BATCH_MESSAGES = 200
"""Messages of one transaction: below it commits dominate, above it a listing waits needlessly (measured)."""
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of one batch, and so of one pack; a larger message is a batch of its own."""
NEWS_BATCH_BYTES = 1024 * 1024
"""The same of news, which are small and come from many mailboxes at once."""
BATCHES_AHEAD = 2
"""Batches that are fetched while one is parsed and another is written."""
DEFECTS = 10
"""Messages in a row that we may fail to store; with more it is not the messages, and none of them is passed over."""
LARGEST_MESSAGE = 200 * 1024 * 1024
"""Bytes. A larger message is passed over; common servers take at most 50 to 150 MB."""


class Line:
    """Three steps, each batch in one of them; memory for a batch is taken before anything of it is held.

    Attributes:
        came, highest: the UIDs of the messages that came, in the order they did; the highest of them, or 0.
        failed: why some of them are not stored, by UID.
        failure: what ended the fetch before its end. All that had come before it is stored.
        refused, cut: the batches that the server refused, and the one in whose middle the connection ended.
    """

    def __init__(self, client: ImapClient, writer: MailWriter, folder: Folder) -> None:
        self._client = client
        self._writer = writer
        self._folder = folder
        self._fetched: asyncio.Queue[tuple[list[Arrival], int] | None] = asyncio.Queue(BATCHES_AHEAD)
        self._batch: list[Arrival] = []
        self._used = self._taken = 0
        self._defects = 0
        self.came = array("I")
        self.highest = 0
        self.failed: dict[int, Obstacle] = {}
        self.failure: MooringError | None = None
        self.refused = self.cut = UidSet()

    async def run(self, uids: UidSet, means: Means, *, announce: bool) -> None:
        """Fetch, parse and write these; once for each line.

        Args:
            announce: they are news, not history: fetched in the order of their UIDs.
        """
        with (means.news if announce else means.history).share() as share:
            try:
                async with asyncio.TaskGroup() as steps:
                    steps.create_task(self._write(share, announce))
                    await self._fetch(uids, share, announce)
            except BaseExceptionGroup as failures:
                # Whatever failed first is the cause; the rest of the line was cancelled for it.
                raise failures.exceptions[0] from None

    async def _fetch(self, uids: UidSet, share: Share, announce: bool) -> None:
        """Hand on all that comes, in batches; also what came before a failure."""
        unit = NEWS_BATCH_BYTES if announce else BATCH_BYTES

        async def make_room(size: int) -> None:
            await self._make_room(share, unit, size)

        stream = self._client.fetch(uids, max_literal=LARGEST_MESSAGE, newest_first=not announce, make_room=make_room)
        try:
            await make_room(unit)  # before the server is asked, rather than while it has to wait for us
            async for message in stream:
                self.came.append(message.uid)
                self.highest = max(self.highest, message.uid)
                if message.body is None:
                    self.failed[message.uid] = Obstacle.TOO_LARGE
                    continue
                await make_room(len(message.body))
                self._used += share.most(len(message.body))
                self._batch.append(_arrival(message, message.body))
                del message  # which would hold on to the body while the next one is waited for
                if len(self._batch) >= BATCH_MESSAGES:
                    await self._hand_on(share)
        except MooringError as e:
            self.failure = e
            self.refused, self.cut = stream.refused, stream.under_way
        await self._hand_on(share)
        await self._fetched.put(None)

    async def _make_room(self, share: Share, unit: int, size: int) -> None:
        """Have room for a message of this size; where the batch has none left, it goes on its way, and another begins.

        So whoever waits holds nothing but what is about to be written.
        """
        wanted = share.most(size)
        if self._used + wanted > self._taken:
            await self._hand_on(share)
            taken = share.most(max(unit, wanted))
            await share.take(taken)
            self._taken = taken

    async def _hand_on(self, share: Share) -> None:
        """The batch to whoever writes it, and what it does not use back."""
        batch, used, unused = self._batch, self._used, self._taken - self._used
        self._batch, self._used, self._taken = [], 0, 0
        share.give(unused)
        if batch:
            await self._fetched.put((batch, used))

    async def _write(self, share: Share, announce: bool) -> None:
        while (fetched := await self._fetched.get()) is not None:
            arrivals, size = fetched
            await self._store(arrivals, announce)
            del fetched, arrivals
            share.give(size)

    async def _store(self, arrivals: list[Arrival], announce: bool) -> None:
        """Write these. One that cannot be written keeps no other from it: what fails together is tried in halves."""
        batch = await self._writer.prepare(arrivals)
        failures = dict(batch.failed)
        try:
            if batch.records:
                await self._writer.add(self._folder, batch, announce=announce)
                self._defects = 0
        except Unstorable as e:
            if len(arrivals) > 1:
                half = len(arrivals) // 2
                await self._store(arrivals[:half], announce)
                await self._store(arrivals[half:], announce)
                return
            failures[arrivals[0].uid] = e
        for uid, failure in failures.items():
            is_ours = not isinstance(failure, Unstorable)
            self.failed[uid] = Obstacle.UNREADABLE if is_ours else Obstacle.UNSTORABLE
            # The kind of the failure alone: its words may be the message's.
            kind = type(failure).__name__
            log.warning("sync.message_failed", grant=self._folder.grant_id, folder=self._folder.id, uid=uid, kind=kind)
        if len(failures) == len(arrivals):
            self._defects += len(failures)
            if self._defects > DEFECTS:
                raise next(iter(failures.values()))


def lasting(flags: frozenset[str]) -> frozenset[str]:
    """Flags that say something of the message, and not of the session that looks at it."""
    return flags - {"\\Recent"}


def _arrival(message: FetchedMessage, body: bytes) -> Arrival:
    received = int(message.internal_date.timestamp()) if message.internal_date else 0
    return Arrival(message.uid, lasting(message.flags or frozenset()), received, body)
