"""The worker: what it holds it synchronises, and nothing else."""

import asyncio
from datetime import timedelta
from pathlib import Path

from mooring.applications import Applications
from mooring.clock import SystemClock
from mooring.errors import NotFound
from mooring.grants import Credentials, Grant, Handover, Keys
from mooring.jobs import LeaseKind, offer
from mooring.store import Database, ObjectStore
from mooring.sync import Worker
from mooring.vault import Vault
from tests.store.calendar_grants import Loopback, make_grant
from tests.waiting import until_async


class LostKeys(Keys):
    """Whoever asks for credentials comes to an end; whether the mailbox was held at that moment is kept."""

    def __init__(self, db: Database, vault: Vault) -> None:
        super().__init__(db, vault)
        self._leases = db
        self.held: list[bool] = []

    async def credentials(self, grant: Grant) -> Credentials:
        holder = await self._leases.fetchval("SELECT holder FROM leases WHERE subject = $1", grant.id)
        self.held.append(holder is not None)
        raise NotFound("the grant has been deleted")


async def test_a_mailbox_whose_work_has_ended_is_begun_again_only_under_a_lease(
    database: Database, tmp_path: Path
) -> None:
    grant, _ = await make_grant(database, tmp_path, url=None)
    async with database.transaction() as tx:
        await offer(tx, LeaseKind.MAILBOX, grant.id, "")
    vault = Vault.load(tmp_path / "mooring.keys")
    keys = LostKeys(database, vault)
    worker = Worker(
        database, ObjectStore.open((tmp_path / "objects").as_uri()), keys, Loopback(), SystemClock(),
        Handover(database, Applications(database, vault)), lease=timedelta(minutes=5), environments=None,
        window=timedelta(days=1),
    )  # fmt: skip
    running = asyncio.create_task(worker.run())

    async def was_begun_again() -> bool:
        return len(keys.held) > 2

    await until_async(was_begun_again, what="the mailbox is taken a third time")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert all(keys.held)
