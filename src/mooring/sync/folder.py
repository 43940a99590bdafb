"""Bringing one folder of the stored copy in step with the server.

A folder is first *filled*: every message of the window that is not stored yet, newest first, so that a
fill that was interrupted anywhere simply goes on. Once filled it is *followed*: what is new, what
changed, what is gone, by the cheapest means that the server offers.
"""

import asyncio
from collections.abc import Collection, Container, Iterable, Mapping
from datetime import date, timedelta
from types import MappingProxyType

from mooring.errors import RemoteProtocolError
from mooring.mail import Folder, MailWriter
from mooring.protocols.imap import ImapClient, Selected, UidSet
from mooring.steps import Steps, gently
from mooring.sync.budget import Means, Share
from mooring.sync.intake import Cuts, Intake
from mooring.sync.line import lasting

FIRST_BATCH = 50
"""Messages that a fill begins with, the newest: one page, so that a listing has something to show at once."""
LARGEST_FOLDER = 10_000_000
"""Messages of one window. A server that claims more is not believed, since each costs memory before it is fetched."""
REACH = timedelta(days=3)
"""How much earlier the server may have received a message than its own date says (``mail.records.FUTURE_S``: two
days), and a day for time zones, which SEARCH leaves aside (RFC 9051 §6.4.4)."""
STEP = 2048
"""UIDs that are gone through in one step: about 2 ms."""
KEEP_S = 30.0
"""Seconds after which we say something while we wait for our turn, so that no server or NAT forgets us."""


NOTHING_DUE: Mapping[int, bool] = MappingProxyType({})


class FolderSync:
    """Keeps one folder in step, over a session that is its own for the time being.

    Args:
        landmark: UIDVALIDITY and UIDNEXT before which everything is history; None: whatever a fill finds is.
    """

    def __init__(
        self,
        client: ImapClient,
        writer: MailWriter,
        folder: Folder,
        means: Means,
        cuts: Cuts,
        landmark: tuple[int, int] | None = None,
    ) -> None:
        self._client = client
        self._writer = writer
        self._folder = folder
        self._means = means
        self._cuts = cuts
        self._landmark = landmark
        self._intake = Intake(client, writer, folder, means, cuts)
        self._highest_uid = 0

    async def run(self, since: date, again: Mapping[int, bool] = NOTHING_DUE) -> Folder:
        """Fill or follow the folder.

        Args:
            since: the first day of the window.
            again: UIDs that were passed over and are to be tried once more, with whether each was news.
        Returns: what is known of the folder now.
        """
        folder, previous = self._folder, None
        is_ours = folder.origin == self._writer.origin
        if is_ours and folder.complete_at and folder.uid_validity and folder.highest_modseq:
            previous = (folder.uid_validity, folder.highest_modseq) if "QRESYNC" in self._client.enabled else None
        selected = await self._client.select(folder.wire_name, read_only=True, since=previous)
        if not is_ours or folder.uid_validity != selected.uid_validity:
            self._folder = folder = await self._writer.reset(folder, selected.uid_validity)
            previous, again = None, NOTHING_DUE
        if folder.complete_at is None:
            await self._fill(selected, since)
        else:
            await self._follow(selected, asked_qresync=previous is not None)
        await self._intake.again(again)
        self._cuts.forget(folder)
        return await self._writer.mark(
            folder,
            uid_next=max(selected.uid_next or 0, folder.uid_next or 0, self._highest_uid + 1, self._intake.highest + 1),
            highest_modseq=selected.highest_modseq,
            complete=True,
        )

    async def _fill(self, selected: Selected, since: date) -> None:
        """Copy what the window holds, and whatever is known already and seems to have come here.

        What is stored stays stored when the window moves on; after a rename, or under a new UIDVALIDITY, it has
        to be found again. The newest page of every mailbox comes first; the rest of a few at a time.
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
        missing, news = self._parted(missing.without(await self._writer.passed_over(self._folder)))
        rest, newest = missing.split(FIRST_BATCH)
        await self._intake.take(newest, announce=False)
        if rest:
            with self._means.fills.share() as place:
                await self._take_place(place)
                await self._intake.take(rest, announce=False)
        if news:
            await self._intake.take(news, announce=True)
        if stored:
            await self._compare(stored)

    def _parted(self, missing: UidSet) -> tuple[UidSet, UidSet]:
        """What of this is history, and what came since the account's first authentication."""
        if self._landmark is None or self._landmark[0] != self._folder.uid_validity:
            return missing, UidSet()
        return missing.parted_at(self._landmark[1])

    async def _take_place(self, place: Share) -> None:
        turn = asyncio.create_task(place.take(1))
        try:
            while not (await asyncio.wait({turn}, timeout=KEEP_S))[0]:
                await self._client.noop()
        finally:
            turn.cancel()

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
            await self._intake.take(UidSet.since(folder.uid_next or 1), announce=True)

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
        if uid in stored and lasting(now) != stored[uid]:
            found[uid] = lasting(now)
        if number % STEP == 0:
            yield
    return found
