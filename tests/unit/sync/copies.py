"""The stored copy of one folder, in memory, as a MailWriter writes it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from mooring.mail import Arrival, Folder, MailWriter, Obstacle, Unstorable, folder_id
from mooring.mail.identity import ThreadHeaders
from mooring.mail.records import Batch, Record
from mooring.sync.budget import Means
from mooring.sync.folder import NOTHING_DUE, FolderSync
from mooring.sync.intake import Cuts
from tests.mailhost import Account

WINDOW = date(2020, 1, 1)


def _open() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Copy(MailWriter):
    """What is stored, and what was announced of it.

    Attributes:
        held: content and flags by UID.
        batches: the contents in the order in which they were written.
        news, changes: what was announced: contents, and UIDs.
        homeless_since: the date of the oldest message that lies nowhere.
        unreadable, unstorable: contents that we fail with.
        passed: what was passed over, by UID, and how often.
        gate: while it is not set, nothing is written.
        settled: what was passed over before, and came at last or is gone.
    """

    folder: Folder
    held: dict[int, tuple[bytes, frozenset[str]]] = field(default_factory=dict[int, tuple[bytes, frozenset[str]]])
    batches: list[list[bytes]] = field(default_factory=list[list[bytes]])
    news: list[bytes] = field(default_factory=list[bytes])
    changes: list[int] = field(default_factory=list[int])
    homeless_since: datetime | None = None
    prepared: Sequence[Arrival] = ()
    origin: str = "ann at imap.test"
    unreadable: set[bytes] = field(default_factory=set[bytes])
    unstorable: set[bytes] = field(default_factory=set[bytes])
    passed: dict[int, list[Obstacle]] = field(default_factory=dict[int, list[Obstacle]])
    settled: list[int] = field(default_factory=list[int])
    gate: asyncio.Event = field(default_factory=_open)
    means: Means = field(default_factory=Means)
    cuts: Cuts = field(default_factory=Cuts)

    async def stored_flags(self, folder: Folder) -> dict[int, frozenset[str]]:
        return {uid: flags for uid, (_, flags) in sorted(self.held.items())}

    async def oldest_homeless(self) -> datetime | None:
        return self.homeless_since

    async def reset(self, folder: Folder, uid_validity: int) -> Folder:
        self.held.clear()
        self.passed.clear()
        self.folder = replace(
            self.folder,
            uid_validity=uid_validity,
            origin=self.origin,
            uid_next=None,
            highest_modseq=None,
            complete_at=None,
        )
        return self.folder

    async def prepare(self, arrivals: Sequence[Arrival]) -> Batch:
        await self.gate.wait()
        self.prepared = [arrival for arrival in arrivals if arrival.raw not in self.unreadable]
        failed: dict[int, Exception] = {a.uid: ValueError("odd") for a in arrivals if a.raw in self.unreadable}
        return Batch("", b"", list(map(_record, self.prepared)), failed)

    async def add(self, folder: Folder, batch: Batch, *, announce: bool) -> None:
        if any(arrival.raw in self.unstorable for arrival in self.prepared):
            raise Unstorable("not these")
        known = {raw for raw, _ in self.held.values()}
        self.batches.append([arrival.raw for arrival in self.prepared])
        for arrival in self.prepared:
            self.held.setdefault(arrival.uid, (arrival.raw, arrival.flags))
            if announce and arrival.raw not in known:
                self.news.append(arrival.raw)

    async def change(
        self, folder: Folder, *, flags: dict[int, frozenset[str]], gone: Iterable[int], announce: bool
    ) -> None:
        for uid, now in flags.items():
            self.held[uid] = (self.held[uid][0], now)
        for uid in gone:
            del self.held[uid]
        if announce:
            self.changes += [*flags, *gone]

    async def pass_over(self, folder: Folder, obstacles: Mapping[int, Obstacle], *, is_news: bool) -> None:
        for uid, obstacle in obstacles.items():
            self.passed.setdefault(uid, []).append(obstacle)

    async def passed_over(self, folder: Folder) -> list[int]:
        return list(self.passed)

    async def settle(self, folder: Folder, uids: Iterable[int]) -> None:
        self.settled += uids

    async def mark(self, folder: Folder, *, uid_next: int | None, highest_modseq: int | None, complete: bool) -> Folder:
        self.folder = replace(
            self.folder,
            uid_next=uid_next or self.folder.uid_next,
            highest_modseq=highest_modseq or self.folder.highest_modseq,
            complete_at=datetime(2026, 1, 1, tzinfo=UTC) if complete else self.folder.complete_at,
        )
        return self.folder

    async def follow(self, account: Account, since: date = WINDOW, again: Mapping[int, bool] = NOTHING_DUE) -> None:
        """One run over the folder, in a session of its own."""
        client = await account.client()
        try:
            await FolderSync(client, self, self.folder, self.means, self.cuts).run(since, again)
        finally:
            await client.aclose()

    def assert_same_as(self, account: Account) -> None:
        """What is stored is what the server's inbox holds."""
        assert self.held == {
            uid: (letter.raw, frozenset(letter.flags)) for uid, letter in account.inbox.letters.items()
        }


def _record(arrival: Arrival) -> Record:
    return Record(
        id="", uid=arrival.uid, flags=arrival.flags, headers=ThreadHeaders("", ()), date=0, received_at=0, subject="",
        addresses=(b"", b"", b"", b"", b""), attachments=b"", has_attachments=False, content=b"",
    )  # fmt: skip


def empty_copy(name: str = "INBOX") -> Copy:
    """A folder that was listed, and never looked into."""
    return Copy(
        Folder(
            grant_id="g",
            id=folder_id("g", name.encode()),
            path=name,
            wire_name=name.encode(),
            delimiter="/",
            attributes=(),
            selectable=True,
        )
    )
