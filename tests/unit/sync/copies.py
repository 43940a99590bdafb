"""The stored copy of one folder, in memory, as a MailWriter writes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from mooring.mail import Arrival, Folder, MailWriter, folder_id
from mooring.mail.records import Batch
from mooring.sync.folder import FolderSync
from tests.mailhost import Account

WINDOW = date(2020, 1, 1)


@dataclass
class Copy(MailWriter):
    """What is stored, and what was announced of it.

    Attributes:
        held: content and flags by UID.
        batches: the contents in the order in which they were written.
        news, changes: what was announced: contents, and UIDs.
        homeless_since: the date of the oldest message that lies nowhere.
    """

    folder: Folder
    held: dict[int, tuple[bytes, frozenset[str]]] = field(default_factory=dict[int, tuple[bytes, frozenset[str]]])
    batches: list[list[bytes]] = field(default_factory=list[list[bytes]])
    news: list[bytes] = field(default_factory=list[bytes])
    changes: list[int] = field(default_factory=list[int])
    homeless_since: datetime | None = None
    prepared: Sequence[Arrival] = ()
    origin: str = "ann at imap.test"

    async def stored_flags(self, folder: Folder) -> dict[int, frozenset[str]]:
        return {uid: flags for uid, (_, flags) in sorted(self.held.items())}

    async def oldest_homeless(self) -> datetime | None:
        return self.homeless_since

    async def reset(self, folder: Folder, uid_validity: int) -> None:
        self.held.clear()
        self.folder = replace(
            self.folder,
            uid_validity=uid_validity,
            origin=self.origin,
            uid_next=None,
            highest_modseq=None,
            complete_at=None,
        )

    async def prepare(self, arrivals: Sequence[Arrival]) -> Batch:
        self.prepared = arrivals
        return Batch("", b"", [])

    async def add(self, folder: Folder, batch: Batch, *, announce: bool) -> None:
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

    async def mark(self, folder: Folder, *, uid_next: int | None, highest_modseq: int | None, complete: bool) -> None:
        self.folder = replace(
            self.folder,
            uid_next=uid_next or self.folder.uid_next,
            highest_modseq=highest_modseq or self.folder.highest_modseq,
            complete_at=datetime(2026, 1, 1, tzinfo=UTC) if complete else self.folder.complete_at,
        )

    async def follow(self, account: Account, since: date = WINDOW) -> None:
        """One run over the folder, in a session of its own."""
        client = await account.client()
        try:
            await FolderSync(client, self, self.folder).run(since)
        finally:
            await client.aclose()

    def assert_same_as(self, account: Account) -> None:
        """What is stored is what the server's inbox holds."""
        assert self.held == {
            uid: (letter.raw, frozenset(letter.flags)) for uid, letter in account.inbox.letters.items()
        }


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
