"""A mailbox that is synchronised while a test lasts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import structs

from mooring.clock import SystemClock
from mooring.grants import Grant, by_ids
from mooring.mail import Message
from mooring.store import Database
from mooring.sync.budget import Means
from mooring.sync.health import Health
from mooring.sync.mailbox import MailboxSync
from mooring.sync.openings import Openings
from tests.mailhost import Account, Box
from tests.store.mailboxes import HostSessions, Stored, mail, stored_mailbox
from tests.waiting import until_async


def held_mailbox(stored: Stored, sessions: HostSessions) -> MailboxSync:
    return MailboxSync(
        stored.db, stored.objects, stored.keys, sessions, SystemClock(),
        grant=stored.grant, lease=stored.lease, window=timedelta(days=3650), means=Means(),
        openings=Openings(),
    )  # fmt: skip


@dataclass
class Held:
    """A mailbox that is synchronised while the test lasts."""

    stored: Stored
    account: Account
    sessions: HostSessions
    sync: MailboxSync
    since: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[asyncio.Task[None]]:
        """While the block lasts; its first pass is done when it begins."""
        task = asyncio.create_task(self.sync.run())
        try:
            await until_async(self.is_synced, what="the first pass is done")
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def health(self) -> Health:
        """What writes how this mailbox is doing, for a test that says so itself."""
        return Health(self.stored.db, SystemClock(), self.stored.grant, self.stored.lease)

    def moved_to(self, account: Account, **changes: str) -> "Held":
        """The same grant with other settings, which lead to this account; its first pass is still to come."""
        grant = replace(self.stored.grant, settings=structs.replace(
            self.stored.grant.settings, imap=structs.replace(self.stored.grant.settings.imap, **changes)
        ))  # fmt: skip
        sessions = HostSessions(account)
        sync = held_mailbox(replace(self.stored, grant=grant), sessions)
        return Held(self.stored, account, sessions, sync, since=datetime.now(UTC))

    async def grant(self) -> Grant:
        [grant] = await by_ids(self.stored.db, [self.stored.grant.id])
        return grant

    async def is_synced(self) -> bool:
        synced_at = (await self.grant()).synced_at
        return synced_at is not None and synced_at > self.since

    async def look_again(self, times: int = 1) -> None:
        """Wait until whole passes that began after this are done."""
        for _ in range(times + 1):
            before = (await self.grant()).synced_at

            async def is_later(before: Any = before) -> bool:
                self.sync.look()
                return (await self.grant()).synced_at != before

            await until_async(is_later, what="a pass is done")

    async def message(self, number: int) -> Message | None:
        return await self.stored.find(mail(number))

    async def failed(self) -> dict[str, Any] | None:
        return (await self.grant()).sync_error

    async def folder_error(self, path: str) -> dict[str, Any] | None:
        return (await self.stored.folder(path)).error


async def held_by(database: Database, tmp_path: Path) -> Held:
    """Three folders with three messages each, synchronised by nobody yet."""
    stored = await stored_mailbox(database, tmp_path)
    account = Account(boxes={"INBOX": Box(), "Archive": Box(), "Odd": Box()})
    for name, first in (("INBOX", 10), ("Archive", 20), ("Odd", 30)):
        for number in range(first, first + 3):
            account.boxes[name].deliver(mail(number))
    sessions = HostSessions(account)
    return Held(stored, account, sessions, held_mailbox(stored, sessions))
