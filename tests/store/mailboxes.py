"""A grant's stored mail in a real database: its writer, its reader, and what is behind them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mooring.clock import SystemClock
from mooring.errors import AuthenticationFailed, ConnectTimeout
from mooring.grants import Attempt, Grant, Keys, Server, Sessions, TlsMode
from mooring.jobs import Lease
from mooring.mail import (
    Arrival,
    Folder,
    MailReader,
    MailWriter,
    Message,
    MessageFilter,
    folder_id,
    folders_of,
    message_id,
)
from mooring.protocols.imap import ImapClient, ListedMailbox
from mooring.store import Database, ObjectStore
from mooring.vault import DataKey
from tests.mailhost import Account
from tests.store.calendar_grants import claim, make_grant

AT = 1_700_000_000
"""Unix seconds from which test mail counts."""


def mail(number: int, text: str = "", *, headers: str = "", dated: bool = True) -> bytes:
    """A message that no other number gives."""
    date = f"Date: Tue, 14 Nov 2023 22:{number // 60 % 60:02}:{number % 60:02} +0000\r\n" if dated else ""
    return f"{date}{headers}Subject: mail {number}\r\n\r\n{text or f'text {number}'}\r\n".encode()


@dataclass
class Stored:
    """Everything that a test of stored mail needs."""

    db: Database
    objects: ObjectStore
    grant: Grant
    keys: Keys
    key: DataKey
    lease: Lease
    writer: MailWriter
    reader: MailReader
    uids: int = 0

    async def folder(self, path: str = "INBOX") -> Folder:
        return next(f for f in await self.writer.folders() if f.path == path)

    async def folders(self, *paths: str) -> list[Folder]:
        """Make these the folders of the account."""
        listed = [ListedMailbox(path, path.encode(), "/", frozenset()) for path in paths]
        by_path = {f.path: f for f in await self.writer.set_folders(folders_of(self.grant.id, listed))}
        return [by_path[path] for path in paths]

    async def add(
        self, folder: Folder, *mails: bytes, flags: Iterable[str] = (), at: int = AT, announce: bool = False
    ) -> list[int]:
        """Store these, each at the next UID; returns the UIDs."""
        first, self.uids = self.uids + 1, self.uids + len(mails)
        arrivals = [Arrival(first + i, frozenset(flags), at, raw) for i, raw in enumerate(mails)]
        await self.writer.add(folder, await self.writer.prepare(arrivals), announce=announce)
        return [arrival.uid for arrival in arrivals]

    async def page(self, *, limit: int = 100, cursor: str | None = None, **wanted: Any) -> list[Message]:
        return (await self.reader.page(self.grant, self.key, MessageFilter(**wanted), limit=limit, cursor=cursor))[0]

    async def subjects(self, **wanted: Any) -> list[str]:
        """The numbers of the messages of one large page."""
        return [message.subject.removeprefix("mail ") for message in await self.page(**wanted)]

    async def pages(self, limit: int, **wanted: Any) -> list[list[Message]]:
        """Every page, from the first to the last."""
        found: list[list[Message]] = []
        cursor: str | None = None
        while True:
            page, cursor = await self.reader.page(
                self.grant, self.key, MessageFilter(**wanted), limit=limit, cursor=cursor
            )
            found.append(page)
            if cursor is None:
                return found

    async def find(self, raw: bytes) -> Message | None:
        return await self.reader.message(self.grant, self.key, self.id_of(raw))

    def id_of(self, raw: bytes) -> str:
        return message_id(self.grant.id, raw)

    def place(self, path: str) -> str:
        return folder_id(self.grant.id, path.encode())

    async def sweep(self) -> None:
        """Two passes in which nothing is found again."""
        await self.writer.sweep(await self.writer.homeless())

    async def facts(self) -> list[tuple[str, str]]:
        """What happened to messages and folders, with the id of each, since this was asked last."""
        return [(kind, data["id"]) for kind, data in await self._facts("data ? 'id'")]

    async def health(self) -> list[tuple[str, dict[str, Any]]]:
        """What happened to the grant and its synchronisation, with the fact's data, since this was asked last."""
        return await self._facts("NOT data ? 'id'")

    async def _facts(self, which: str) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.db.fetch(f"DELETE FROM outbox WHERE {which} RETURNING sequence, type, data")
        return [(r["type"], r["data"]) for r in sorted(rows, key=lambda row: row["sequence"])]

    async def packs(self) -> set[str]:
        """The packs in the object store."""
        return {info.key.rpartition("/")[2] async for info in self.objects.list(f"grants/{self.grant.id}")}

    async def count(self, table: str) -> int:
        return await self.db.fetchval(f"SELECT count(*) FROM {table} WHERE grant_id = $1", self.grant.id)

    async def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the mail's tables, to hold against a later look."""
        tables = ("folders", "packs", "messages", "placements", "thread_links", "outbox", "outbox_sequences")
        return {
            table: [tuple(row) for row in await self.db.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in tables
        }


async def stored_mailbox(database: Database, folder: Path) -> Stored:
    """A grant without a folder, held."""
    grant, keys = await make_grant(database, folder)
    key = await keys.data_key(grant)
    objects = ObjectStore.open((folder / "objects").as_uri())
    lease = await claim(database, grant)
    writer = MailWriter(database, objects, SystemClock(), grant, lease, key)
    return Stored(database, objects, grant, keys, key, lease, writer, MailReader(database, objects))


class HostSessions(Sessions):
    """Sessions with a mail host in memory.

    Attributes:
        opened: how often somebody asked for one.
        failing: the stage and the reason at which all of them fail, while it is set.
        gate: while it is not set, nobody gets in.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.opened = 0
        self.failing: tuple[str, str] | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def open_imap(self, attempt: Attempt, server: Server, password: str) -> tuple[ImapClient, TlsMode]:
        self.opened += 1
        await self.gate.wait()
        if self.failing is not None:
            attempt.stage, reason = self.failing
            with attempt.reported():
                raise AuthenticationFailed("no", reply="NO no") if reason == "authentication" else ConnectTimeout("no")
        return await self.account.client(), TlsMode.IMPLICIT
