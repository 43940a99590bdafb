"""An application with webhooks: a real database, a real dialer, endpoints on loopback."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from mooring.applications import Application, Applications
from mooring.calendars import CalendarReader
from mooring.clock import SystemClock
from mooring.config import Carrier, Generation, PoolConfig, SourceConfig, Via
from mooring.egress import Berths, Dialer, DialerPolicy, Ledger, SharedResolver
from mooring.events import EventType, Fact, append
from mooring.grants import Keys
from mooring.jobs import Holder
from mooring.mail import MailReader
from mooring.store import Database, ObjectStore
from mooring.vault import Vault
from mooring.webhooks import Deliverer, Feed, NewWebhook, Objects, WebhookChanges, Webhooks, webhook_environment
from tests.egress.exits import TIMEOUTS, Names
from tests.store.webhooks.receivers import Receiver
from tests.waiting import until_async

SOURCE = "127.0.1.30"
LEASE = timedelta(seconds=1)
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class House:
    """Everything that webhooks need."""

    db: Database
    vault: Vault
    objects: Objects
    ledger: Ledger
    dialer: Dialer
    webhooks: Webhooks
    application: Application
    clock: SystemClock

    async def hook(self, receiver: Receiver, **more: Any) -> NewWebhook:
        """A webhook that hears of new and deleted messages, or of ``trigger_types``."""
        wanted: dict[str, Any] = {"trigger_types": ("message.created", "message.deleted"), **more}
        return await self.webhooks.create(self.application, WebhookChanges(url=receiver.url, **wanted))

    async def happen(self, grant_id: str, count: int = 1, *, kind: EventType = EventType.MESSAGE_CREATED) -> None:
        """So many facts of a grant; each is about a message that is numbered like the fact."""
        async with self.db.transaction() as tx:
            last = await tx.fetchval("SELECT last FROM outbox_sequences WHERE grant_id = $1", grant_id) or 0
            facts = [Fact(kind, {"id": f"m-{last + number}"}) for number in range(1, count + 1)]
            await append(tx, application_id=self.application.id, grant_id=grant_id, facts=facts)

    def deliverer(self) -> Deliverer:
        feed = Feed(self.db, self.objects)
        holder = Holder(self.db, LEASE)
        return Deliverer(self.db, self.vault, feed, self.dialer, self.clock, holder, environments=None)

    @asynccontextmanager
    async def delivering(self) -> AsyncGenerator[None]:
        """A deliverer, for as long as the block lasts."""
        task = asyncio.create_task(self.deliverer().run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settled(self, new: NewWebhook) -> None:
        """Return once the database knows that the webhook has come to the end of everything."""

        async def at_the_end() -> bool:
            return not await self.db.fetchval(
                """SELECT EXISTS (SELECT FROM outbox_sequences s
                   LEFT JOIN lanes l ON l.grant_id = s.grant_id AND l.webhook_id = $1
                   WHERE s.last > coalesce(l.position, 0))""",
                new.webhook.id,
            )

        await until_async(at_the_end, what="everything is delivered")


def dialer_of(db: Database, ledger: Ledger, *, names: Names | None = None) -> Dialer:
    """A dialer whose one pool is that of webhooks."""
    source = SourceConfig("hooks", ip_address(SOURCE), Via(Carrier.BIND, local=ip_address(SOURCE)))
    pool = PoolConfig(webhook_environment("us"), (source,))
    policy = DialerPolicy((pool,), allow=LOOPBACK)
    return Dialer(
        db, ledger, SystemClock(), policy, resolve=names or SharedResolver(), berths=Berths(1), timeouts=TIMEOUTS
    )


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncGenerator[House]:
    vault = Vault.load(tmp_path / "mooring.keys", create=True)
    applications = Applications(database, vault)
    new = await applications.create(name="Acme", generation=Generation.V3, region="us")
    objects = Objects(
        MailReader(database, ObjectStore.open((tmp_path / "objects").as_uri())),
        CalendarReader(database),
        Keys(database, vault),
    )
    clock = SystemClock()
    ledger = Ledger(database, clock, timedelta(days=90))
    dialer = dialer_of(database, ledger)
    yield House(
        database, vault, objects, ledger, dialer, Webhooks(database, vault, dialer, clock), new.application, clock
    )
    await ledger.aclose()
