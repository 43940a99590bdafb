"""Bringing one folder of the stored copy in step with the server.

A folder is first *filled*: every message of the window that is not stored yet, newest first, so that a
fill that was interrupted anywhere simply goes on. Once filled it is *followed*: what is new, what
changed, what is gone, by the cheapest means that the server offers.
"""

import asyncio
from collections.abc import Collection, Container, Iterable
from dataclasses import replace
from datetime import date, timedelta

import structlog

from mooring.errors import MooringError, RemoteProtocolError
from mooring.mail import Arrival, Folder, MailWriter
from mooring.protocols.imap import FetchedMessage, ImapClient, Selected, UidSet
from mooring.steps import Steps, gently

log = structlog.get_logger()

BATCH_MESSAGES = 200
"""Messages of one transaction: below it commits dominate, above it a listing waits needlessly (measured)."""
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of one batch, and so of one pack; what bounds the memory of a fill with large messages."""
FIRST_BATCH = 50
"""Messages that a fill begins with, the newest: one page, so that a listing has something to show at once."""
LARGEST_FOLDER = 10_000_000
"""Messages of one window. A server that claims more is not believed, since each costs memory before it is fetched."""
LARGEST_MESSAGE = 200 * 1024 * 1024
"""Bytes. A larger message is passed over; common servers take at most 50 to 150 MB."""
REACH = timedelta(days=3)
"""How much earlier the server may have received a message than its own date says (``mail.records.FUTURE_S``: two
days), and a day for time zones, which SEARCH leaves aside (RFC 9051 §6.4.4)."""
STEP = 2048
"""UIDs that are gone through in one step: about 2 ms."""
BATCHES_AHEAD = 2
"""Batches that are fetched while one is parsed and another is written."""


class FolderSync:
    """Keeps one folder in step, over a session that is its own for the time being."""

    def __init__(self, client: ImapClient, writer: MailWriter, folder: Folder) -> None:
        self._client = client
        self._writer = writer
        self._folder = folder
        self._highest_uid = 0

    async def run(self, since: date) -> None:
        """Fill or follow the folder.

        Args:
            since: the first day of the window.
        """
        folder, previous = self._folder, None
        is_ours = folder.origin == self._writer.origin
        if is_ours and folder.complete_at and folder.uid_validity and folder.highest_modseq:
            previous = (folder.uid_validity, folder.highest_modseq) if "QRESYNC" in self._client.enabled else None
        selected = await self._client.select(folder.wire_name, read_only=True, since=previous)
        if not is_ours or folder.uid_validity != selected.uid_validity:
            await self._writer.reset(folder, selected.uid_validity)
            self._folder = folder = replace(folder, uid_validity=selected.uid_validity, uid_next=None, complete_at=None)
            previous = None
        if folder.complete_at is None:
            await self._fill(selected, since)
        else:
            await self._follow(selected, asked_qresync=previous is not None)
        await self._writer.mark(
            folder,
            uid_next=max(selected.uid_next or 0, folder.uid_next or 0, self._highest_uid + 1),
            highest_modseq=selected.highest_modseq,
            complete=True,
        )

    async def _fill(self, selected: Selected, since: date) -> None:
        """Copy what the window holds, and whatever is known already and seems to have come here.

        What is stored stays stored when the window moves on; after a rename, or under a new UIDVALIDITY, it has
        to be found again.
        """
        stored = await self._writer.stored_flags(self._folder)
        oldest = await self._writer.oldest_homeless()
        if oldest is not None:
            since = min(since, (oldest - REACH).date())
        if selected.uid_next is None:
            self._highest_uid = (await self._client.search()).top
        wanted = await self._client.search(since=since)
        count = await gently(wanted.counting())
        if count > LARGEST_FOLDER:
            raise RemoteProtocolError(f"the server claims that there are {count} messages in one folder")
        missing = await gently(wanted.leaving_out(stored))
        rest, newest = missing.split(FIRST_BATCH)
        await self._store(newest, announce=False)
        await self._store(rest, announce=False)
        if stored:
            await self._compare(stored)

    async def _follow(self, selected: Selected, *, asked_qresync: bool) -> None:
        folder = self._folder
        if asked_qresync and selected.highest_modseq is not None:
            flags = {m.uid: m.flags for m in selected.changed if m.flags is not None and m.uid}
            if flags or selected.vanished:
                stored = await self._writer.stored_flags(folder)
                await self._change(stored, flags, [uid for uid in stored if uid in selected.vanished])
        elif selected.highest_modseq is None or selected.highest_modseq != folder.highest_modseq:
            await self._compare(await self._writer.stored_flags(folder))
        else:
            # HIGHESTMODSEQ is that of the messages that are there (RFC 7162 §3.1.2.1): one that goes need not move it.
            stored = await self._writer.stored_flags(folder)
            if await self._absent(stored):
                await self._compare(stored)
        if selected.uid_next is None or folder.uid_next is None or selected.uid_next > folder.uid_next:
            await self._store(UidSet.since(folder.uid_next or 1), announce=True)

    async def _compare(self, stored: dict[int, frozenset[str]]) -> None:
        """Hold all flags of the folder against the stored ones: works with every server."""
        if not stored:
            return
        flags: dict[int, frozenset[str]] = {}
        async for message in self._client.fetch_flags(UidSet.since(next(iter(stored)))):
            if message.flags is not None:
                flags[message.uid] = message.flags
        await self._change(stored, flags, await self._absent(await gently(_outside(stored, flags))))

    async def _absent(self, uids: Collection[int]) -> list[int]:
        """Those of these UIDs, in rising order, that the server does not find.

        An answer to FETCH that leaves a message out is not yet a message that is gone.
        """
        if not uids:
            return []
        found = await self._client.search(f"UID {UidSet.since(next(iter(uids)))}")
        return await gently(_outside(uids, found))

    async def _change(
        self, stored: dict[int, frozenset[str]], flags: dict[int, frozenset[str]], gone: list[int]
    ) -> None:
        changed = await gently(_changed(stored, flags))
        if changed or gone:
            await self._writer.change(
                self._folder, flags=changed, gone=gone, announce=self._folder.complete_at is not None
            )

    async def _store(self, uids: UidSet, *, announce: bool) -> None:
        """Fetch, parse and write: three steps of a line, each batch in one of them."""
        if not uids:
            return
        fetched: asyncio.Queue[list[Arrival] | None] = asyncio.Queue(BATCHES_AHEAD)
        try:
            async with asyncio.TaskGroup() as line:
                line.create_task(self._write(fetched, announce))
                failure = await self._fetch(uids, fetched, newest_first=not announce)
        except BaseExceptionGroup as failures:
            # Whatever failed first is the cause; the rest of the line was cancelled for it.
            raise failures.exceptions[0] from None
        if failure is not None:
            raise failure

    async def _fetch(
        self, uids: UidSet, fetched: asyncio.Queue[list[Arrival] | None], *, newest_first: bool
    ) -> MooringError | None:
        """Hand on all that comes, in batches; also what came before a failure, which is returned."""
        batch: list[Arrival] = []
        size, failure = 0, None
        try:
            async for message in self._client.fetch(uids, max_literal=LARGEST_MESSAGE, newest_first=newest_first):
                self._highest_uid = max(self._highest_uid, message.uid)
                arrival = self._arrival(message)
                if arrival is None:
                    continue
                batch.append(arrival)
                size += len(arrival.raw)
                if len(batch) >= BATCH_MESSAGES or size >= BATCH_BYTES:
                    await fetched.put(batch)
                    batch, size = [], 0
        except MooringError as e:
            failure = e
        if batch:
            await fetched.put(batch)
        await fetched.put(None)
        return failure

    async def _write(self, fetched: asyncio.Queue[list[Arrival] | None], announce: bool) -> None:
        while (arrivals := await fetched.get()) is not None:
            await self._writer.add(self._folder, await self._writer.prepare(arrivals), announce=announce)

    def _arrival(self, message: FetchedMessage) -> Arrival | None:
        if message.body is None:
            log.warning("sync.message_too_large", folder=self._folder.id, uid=message.uid, size=message.size)
            return None
        received = int(message.internal_date.timestamp()) if message.internal_date else 0
        return Arrival(message.uid, _lasting(message.flags or frozenset()), received, message.body)


def _outside(uids: Iterable[int], known: Container[int]) -> Steps[list[int]]:
    """Those of these UIDs that are not known."""
    found: list[int] = []
    for number, uid in enumerate(uids, start=1):
        if uid not in known:
            found.append(uid)
        if number % STEP == 0:
            yield
    return found


def _changed(stored: dict[int, frozenset[str]], flags: dict[int, frozenset[str]]) -> Steps[dict[int, frozenset[str]]]:
    """The flags of those that are stored with others."""
    found: dict[int, frozenset[str]] = {}
    for number, (uid, now) in enumerate(flags.items(), start=1):
        if uid in stored and _lasting(now) != stored[uid]:
            found[uid] = _lasting(now)
        if number % STEP == 0:
            yield
    return found


def _lasting(flags: frozenset[str]) -> frozenset[str]:
    """Flags that say something of the message, and not of the session that looks at it."""
    return flags - {"\\Recent"}
