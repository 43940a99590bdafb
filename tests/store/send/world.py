"""One grant with its servers on 127.0.0.1, reached by the real dialer."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import trustme

from mooring.applications import Applications
from mooring.clock import SystemClock
from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.egress import Berths, Dialer, DialerPolicy, Ledger, SharedResolver
from mooring.grants import Credentials, Grant, Keys, Server, Sessions, Settings, TlsMode, by_ids
from mooring.grants import repository as grants_table
from mooring.jobs import Holder, LeaseKind, offer
from mooring.mail import Arrival, MailReader, MailWriter, Party, folders_of, message_id
from mooring.protocols.imap import ListedMailbox
from mooring.send import CopyKeeper, Sender, Submission
from mooring.store import Database, ObjectStore
from mooring.vault import Vault
from tests.protocol.smtp.fake import FakeServer
from tests.store.send.fake_imap import FakeMailbox
from tests.waiting import until_async

PASSWORD = "a-password-of-ann"
ADDRESS = "ann@example.test"
SOURCE = "127.0.0.9"
HELLO = Submission(to=(Party(email="bob@example.test", name="Bob"),), subject="Hello", body="<p>Hi Bob</p>")


@dataclass
class GatedServer(FakeServer):
    """Gives its verdict on a message only while the gate is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def _say(self, verb: str, writer: asyncio.StreamWriter) -> bytes:
        if verb == "CONTENT":
            await self.gate.wait()
        return await super()._say(verb, writer)


@dataclass
class World:
    """Everything that a test of sending needs."""

    db: Database
    objects: ObjectStore
    keys: Keys
    sessions: Sessions
    ledger: Ledger
    grant: Grant
    smtp: GatedServer = field(default_factory=GatedServer)
    imap: FakeMailbox = field(default_factory=FakeMailbox)
    clock: SystemClock = field(default_factory=SystemClock)

    def sender(self) -> Sender:
        """A sender, as a process that just started has one."""
        return Sender(self.db, self.keys, self.sessions, MailReader(self.db, self.objects), self.clock)

    def keeper(self) -> CopyKeeper:
        return CopyKeeper(self.db, self.keys, self.sessions, self.clock)

    async def rows(self) -> list[dict[str, Any]]:
        """The submissions, oldest first."""
        return [dict(row) for row in await self.db.fetch("SELECT * FROM submissions ORDER BY created_at")]

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.rows()]

    async def facts(self) -> list[tuple[str, dict[str, Any]]]:
        """What happened to the grant's submissions."""
        rows = await self.db.fetch("SELECT type, data FROM outbox WHERE type LIKE 'message.send%' ORDER BY sequence")
        return [(row["type"], row["data"]) for row in rows]

    async def time_passes(self, interval: str) -> None:
        """Everything that is written in the table was written so much earlier."""
        await self.db.execute(
            """UPDATE submissions SET created_at = created_at - $1::text::interval,
                   given_up_at = given_up_at - $1::text::interval, copy_due_at = copy_due_at - $1::text::interval""",
            interval,
        )

    async def copied(self, count: int) -> None:
        """Wait until so many copies are done."""

        async def done() -> bool:
            return await self.db.fetchval("SELECT count(*) FROM submissions WHERE copy_state = 'done'") == count

        await until_async(done, what=f"{count} copies are done")

    async def store(self, *raws: bytes) -> list[str]:
        """Have these messages in the stored inbox, beside an empty folder for sent mail; returns their ids."""
        holder = Holder(self.db, timedelta(minutes=1))
        await holder.join()
        (lease,) = await holder.claim(LeaseKind.MAILBOX, scopes=None, limit=1)
        key = await self.keys.data_key(self.grant)
        writer = MailWriter(self.db, self.objects, self.clock, self.grant, lease, key)
        listed = [ListedMailbox(name, name.encode(), ".", frozenset()) for name in ("INBOX", "Sent")]
        inbox = (await writer.set_folders(folders_of(self.grant.id, listed)))[0]
        arrivals = [Arrival(uid, frozenset(), 1_700_000_000, raw) for uid, raw in enumerate(raws, start=1)]
        await writer.add(inbox, await writer.prepare(arrivals), announce=False)
        return [message_id(self.grant.id, raw) for raw in raws]


async def connected_grant(
    db: Database, keys: Keys, vault: Vault, settings: Settings, *, email: str = ADDRESS, password: str = PASSWORD
) -> Grant:
    """A grant with these servers, placed in the dynamic environment."""
    made = await Applications(db, vault).create(name="Test", generation=Generation.V3, region="us")
    grant_id = "the-grant"
    values = {
        "id": grant_id, "application_id": made.application.id, "provider": "imap", "email": email,
        "mail_domain": "example.test", "subject": f"subject-{grant_id}", "environment": "dynamic",
        "settings": settings, "credentials": keys.seal_credentials(grant_id, Credentials(password, password)),
        "data_key": keys.new_data_key(grant_id), "name": "Ann", "state": "", "scope": [], "user_agent": "", "ip": "",
    }  # fmt: skip
    async with db.transaction() as tx:
        await grants_table.insert(tx, values)
        await offer(tx, LeaseKind.MAILBOX, grant_id, "v3-us-dynamic")
    (grant,) = await by_ids(db, [grant_id])
    return grant


def loopback_settings(smtp_port: int, imap_port: int) -> Settings:
    """Servers on 127.0.0.1, with TLS from the first byte."""
    return Settings(
        imap=Server("127.0.0.1", imap_port, ADDRESS, TlsMode.IMPLICIT),
        smtp=Server("127.0.0.1", smtp_port, ADDRESS, TlsMode.IMPLICIT),
    )


def dialer_of(db: Database, ledger: Ledger, clock: SystemClock, *, source: str = SOURCE, allow: str) -> Dialer:
    """A dialer whose only pool is the dynamic one, with one source."""
    environment, address = EnvironmentName(Generation.V3, "us", Kind.DYNAMIC), ip_address(source)
    config = SourceConfig("dynamic", address, Via(Carrier.BIND, local=address))
    policy = DialerPolicy(pools=(PoolConfig(environment, (config,)),), allow=(ip_network(allow),))
    return Dialer(db, ledger, clock, policy, resolve=SharedResolver(), berths=Berths(20))


async def listening(serve: Any, tls: ssl.SSLContext) -> tuple[asyncio.Server, int]:
    """A server on 127.0.0.1, TLS from the first byte, and its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    return server, server.sockets[0].getsockname()[1]


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """The servers' side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def working(world: World, *environments: str) -> AsyncGenerator[None]:
    """A process that files copies of these environments (all, if none is named), while the block lasts."""
    running = asyncio.create_task(world.keeper().run(environments or None))
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
