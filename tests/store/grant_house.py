"""Grants over a real database, with servers that know passwords and nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mooring.applications import Application, Applications, StaticIps
from mooring.clock import SystemClock
from mooring.config import Generation, MigrationMode
from mooring.errors import AuthenticationFailed, ConnectTimeout, NoSource
from mooring.grants import (
    Attempt,
    ConnectRequest,
    Feature,
    Grant,
    Grants,
    Handover,
    Keys,
    MovePolicy,
    Placements,
    Server,
    Sessions,
    TlsMode,
    Tokens,
    parse_settings,
)
from mooring.protocols.imap import ImapClient
from mooring.protocols.smtp import SmtpClient
from mooring.store import Database, ObjectStore
from mooring.sync import Worker
from mooring.vault import Vault
from tests.mailhost import Account
from tests.waiting import until_async

PASSWORD = "a-password-of-ann"
IMAP_HOST = "imap.example.test"
ANN: dict[str, Any] = {
    "imap_host": "imap.example.test", "imap_username": "ann@example.test", "imap_password": PASSWORD,
    "smtp_host": "smtp.example.test",
}  # fmt: skip


STAGED_DELAY = timedelta(minutes=30)
POLICY = MovePolicy(STAGED_DELAY, {Generation.V2: MigrationMode.STAGED, Generation.V3: MigrationMode.DIRECT})


class SetClock(SystemClock):
    """A wall clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = super().now()

    def now(self) -> datetime:
        return self.at

    def pass_by(self, time: timedelta) -> None:
        self.at += time


class Goodbye(SmtpClient):
    """A submission session in which nothing happens."""

    def __init__(self) -> None:
        pass

    async def quit(self, *, timeout_s: float = 1.0) -> None:
        pass


class FakeSessions(Sessions):
    """Servers that know passwords, or are not there at all.

    Attributes:
        known: the password that each host takes.
        asked: host, password and environment of every login.
        gate: while it is not set, nobody gets in.
        filtered: environments and hosts of dials that nobody answers.
        undeclared: environments that have no pool.
        accounts: what each user finds on the mail server; by user name.
    """

    def __init__(self) -> None:
        self.known: dict[str, str] = {"imap.example.test": PASSWORD, "smtp.example.test": PASSWORD}
        self.asked: list[tuple[str, str, str]] = []
        self.filtered: set[tuple[str, str]] = set()
        self.undeclared: set[str] = set()
        self.accounts: dict[str, Account] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def open_imap(self, attempt: Attempt, server: Server, password: str) -> tuple[ImapClient, TlsMode]:
        await self._login(attempt, server, password)
        account = self.accounts.setdefault(server.username, Account())
        return await account.client(), TlsMode.IMPLICIT

    async def open_smtp(self, attempt: Attempt, server: Server, password: str) -> tuple[SmtpClient, TlsMode]:
        await self._login(attempt, server, password)
        return Goodbye(), TlsMode.STARTTLS

    async def _login(self, attempt: Attempt, server: Server, password: str) -> None:
        self.asked.append((server.host, password, str(attempt.way.environment)))
        await self.gate.wait()
        with attempt.reported():
            if (str(attempt.way.environment), server.host) in self.filtered:
                raise ConnectTimeout(f"{server.host} did not answer")
        if str(attempt.way.environment) in self.undeclared:
            raise NoSource(f"this installation declares no pool {attempt.way.environment}", reason="unknown_pool")
        attempt.stage = "login"
        with attempt.reported():
            if self.known.get(server.host) != password:
                raise AuthenticationFailed("no", reply=f"NO not with {password}")


@dataclass
class House:
    """Everything that grants need."""

    db: Database
    vault: Vault
    keys: Keys
    objects: ObjectStore
    sessions: FakeSessions
    applications: Applications
    grants: Grants
    tokens: Tokens
    placements: Placements
    feature: Feature
    application: Application
    clock: SetClock

    async def connect(
        self, *, application: Application | None = None, name: str = "", **changes: Any
    ) -> tuple[Grant, bool]:
        email, settings, credentials = parse_settings({**ANN, **changes})
        request = ConnectRequest(
            "imap", email, settings, credentials, name=name, state="st", scope=("a", "b"), ip="::1"
        )
        return await self.grants.connect(application or self.application, request)

    async def switch(self, state: StaticIps) -> tuple[Application, int]:
        """Have an operator decide; accounts begin to move, and ``moving`` has them arrive."""
        return await self.feature.decide(self.application.id, state, by="operator")

    async def row(self) -> tuple[Any, ...]:
        """The one grant, with everything that hangs on it."""
        tables = ("grants", "leases", "outbox", "outbox_sequences", "access_tokens")
        return tuple([[tuple(row) for row in await self.db.fetch(f"SELECT * FROM {table}")] for table in tables])

    async def lease(self, grant: Grant) -> tuple[str, int]:
        row = await self.db.fetchrow("SELECT scope, generation FROM leases WHERE subject = $1", grant.id)
        assert row is not None
        return row["scope"], row["generation"]

    async def facts(self) -> list[str]:
        rows = await self.db.fetch("SELECT type, data FROM outbox ORDER BY sequence")
        assert PASSWORD not in str([dict(row) for row in rows])
        return [row["type"] for row in rows]

    async def application_now(self) -> Application:
        return await self.applications.get(self.application.id)

    async def synced(self, grant: Grant) -> None:
        """Return once the mailbox has been in step."""

        async def is_in_step() -> bool:
            return (await self.grants.get(grant.id)).synced_at is not None

        await until_async(is_in_step, what="the mailbox is in step")

    async def seen(self, grant: Grant) -> None:
        """Return once it is kept how the server looked to the session that synchronises."""

        async def is_kept() -> bool:
            return await self.db.fetchval("SELECT EXISTS (SELECT FROM servers_seen WHERE grant_id = $1)", grant.id)

        await until_async(is_kept, what="it is kept how the server looks")

    async def failed(self, grant: Grant) -> None:
        """Return once it is known that the mailbox cannot be synchronised."""

        async def has_failed() -> bool:
            return (await self.grants.get(grant.id)).sync_error is not None

        await until_async(has_failed, what="synchronisation has failed")

    async def asked(self, environment: str) -> None:
        """Return once a server is asked from this environment."""

        async def was_asked() -> bool:
            return any(asked[2] == environment for asked in self.sessions.asked)

        await until_async(was_asked, what=f"a server is asked from {environment}")

    @asynccontextmanager
    async def moving(self) -> AsyncGenerator[None]:
        """A worker of every environment, while the block lasts; every move has ended when it does."""
        worker = Worker(
            self.db, self.objects, self.keys, self.sessions, SystemClock(), Handover(self.db, self.applications),
            lease=timedelta(seconds=5), environments=None, window=timedelta(days=30),
        )  # fmt: skip
        task = asyncio.create_task(worker.run())

        async def have_ended() -> bool:
            return not await self.db.fetchval(
                "SELECT EXISTS (SELECT FROM moves WHERE ended_at IS NULL AND mode = 'direct')"
            )

        try:
            yield
            await until_async(have_ended, what="every move has ended")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def during(self, work: Any) -> AsyncGenerator[asyncio.Task[Any]]:
        """The work stands at the server's door while the block lasts."""
        self.sessions.gate.clear()
        before = len(self.sessions.asked)
        task = asyncio.create_task(work)
        while len(self.sessions.asked) == before:
            await asyncio.wait([task], timeout=0.01)
        yield task
        self.sessions.gate.set()


async def open_house(
    database: Database,
    tmp_path: Path,
    *,
    sessions: FakeSessions | None = None,
    generation: Generation = Generation.V3,
) -> House:
    """With one application, whose feature is off."""
    vault = Vault.load(tmp_path / "mooring.keys", create=True)
    keys, objects = Keys(database, vault), ObjectStore.open((tmp_path / "objects").as_uri())
    applications, sessions = Applications(database, vault), sessions or FakeSessions()
    made = await applications.create(name="A", generation=generation, region="us")
    clock = SetClock()
    placements = Placements(database, applications, clock, POLICY)
    grants = Grants(database, objects, keys, sessions, applications, placements, clock)
    feature = Feature(database, applications, placements, self_serve=False)
    return House(
        database,
        vault,
        keys,
        objects,
        sessions,
        applications,
        grants,
        Tokens(database),
        placements,
        feature,
        made.application,
        clock,
    )
