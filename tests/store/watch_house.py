"""A server that lets some of our addresses in, and whoever watches it, over a real database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mooring.clock import SystemClock
from mooring.diagnosis import (
    Ask,
    Authenticating,
    Diagnosis,
    Exit,
    Observation,
    Outcome,
    Question,
    Rhythm,
    Secrets,
    ServerWatch,
    Service,
    Stage,
    Vantage,
    Watcher,
    Watches,
)
from mooring.diagnosis.interfaces import Budget, MayLogin, Tell
from mooring.diagnosis.types import Control, Lookup, Probe, Step
from mooring.egress import Ledger
from mooring.events import read
from mooring.grants import ConnectRequest, Grants, parse_settings
from mooring.store import Database
from tests.store.diagnosis_house import POOLS, process_of
from tests.store.grant_house import ANN, House, open_house

HOST = "imap.example.test"
NODE, OTHER_NODE = "192.0.2.1", "192.0.2.2"
ADDRESSES = ("203.0.113.10", "203.0.113.11")
EXITS = tuple(Exit(Vantage.STATIC, "v3-us-static", f"s{a[-2:]}", a) for a in ADDRESSES)
DYNAMIC = Exit(Vantage.DYNAMIC, "v3-us-dynamic", "d", "198.51.100.20")


@dataclass
class Outside:
    """A server that lets some of our addresses in.

    Attributes:
        admits: which.
        shut: how it does not let others in.
        nodes: where its name leads to; those in ``dead`` let nobody in.
        spared: addresses that the budget does not let leave; ``recalled``: nodes where all were let in a while ago.
        broken: addresses of ours that cannot be used.
        controls: whose exits were asked about, and how old what the ledger tells may be.
        gate: while it is not set, no probe ends.
        budget: asked instead of itself, if there is one.
    """

    admits: set[str] = field(default_factory=set[str])
    shut: Outcome = Outcome.SILENT
    said: str = ""
    nodes: tuple[str, ...] = (NODE,)
    dead: set[str] = field(default_factory=set[str])
    spared: set[str] = field(default_factory=set[str])
    recalled: set[str] = field(default_factory=set[str])
    broken: set[str] = field(default_factory=set[str])
    controls: list[tuple[str, datetime | None]] = field(default_factory=list[tuple[str, datetime | None]])
    works: bool = True
    problem: str = ""
    probed: list[Probe] = field(default_factory=list[Probe])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    budget: Budget | None = None

    async def look_up(self, question: Question, host: str, port: int) -> Lookup:
        return Lookup(host, () if self.problem else self.nodes, self.problem)

    async def observe(
        self, question: Question, probe: Probe, secrets: Secrets, *, may_login: MayLogin, tell: Tell
    ) -> Observation:
        self.probed.append(probe)
        await self.gate.wait()
        assert secrets.passwords == {}
        if probe.exit.address in self.broken:
            return self._seen(probe, Outcome.OURS)
        is_in = probe.exit.address in self.admits and probe.address not in self.dead
        return self._seen(probe, Outcome.REACHED if is_in else self.shut)

    async def control(
        self, question: Question, way_out: Exit, family: int, *, since: datetime | None = None
    ) -> Control:
        self.controls.append((way_out.address, since))
        return Control(way_out.source, way_out.address, family, self.works, "target")

    async def reserve(self, question: Question, probes: Sequence[Probe]) -> tuple[list[Probe], list[Observation]]:
        if self.budget is not None:
            return await self.budget.reserve(question, probes)
        spared = [p for p in probes if p.exit.address in self.spared]
        recalled = [p for p in probes if p.address in self.recalled]
        known = [self._seen(p, Outcome.REACHED, remembered=True) for p in recalled]
        known += [self._seen(p, Outcome.SPARED) for p in spared]
        return [p for p in probes if p not in spared and p not in recalled], known

    async def remember(self, question: Question, observation: Observation) -> None:
        if self.budget is not None:
            await self.budget.remember(question, observation)

    def _seen(self, probe: Probe, outcome: Outcome, *, remembered: bool = False) -> Observation:
        is_in = outcome is Outcome.REACHED
        return Observation(
            probe.id, SystemClock().now(), probe.exit.vantage, probe.exit.environment, probe.exit.source,
            probe.exit.address, probe.target.service, probe.target.host, probe.target.port, probe.address, outcome,
            Stage.CAPABILITY, steps=(Step(Stage.GREETING, 1.0),) if is_in else (), said="" if is_in else self.said,
            detail="It is not on this host." if outcome is Outcome.OURS else "", remembered=remembered,
        )  # fmt: skip


@dataclass
class Tower:
    """Whoever watches."""

    house: House
    outside: Outside
    watches: Watches
    diagnosis: Diagnosis

    def watcher(
        self, outside: Outside | None = None, grants: Grants | None = None, db: Database | None = None
    ) -> Watcher:
        """Another process."""
        house, seen = self.house, outside or self.outside
        ledger = Ledger(house.db, house.clock, timedelta(days=90))
        connecting = Authenticating(house.db, house.vault, house.applications, grants or house.grants, ledger)
        return Watcher(
            db or house.db, seen, seen, lambda _: (*EXITS, DYNAMIC), connecting, Rhythm(),
            environments=["v3-us-static"], spread_s=0,
        )  # fmt: skip

    async def begin(self, request: ConnectRequest | None = None) -> ServerWatch:
        return await self.watches.begin(self.house.application, self.diagnosis, request)

    async def find(self, watch: ServerWatch) -> ServerWatch:
        return await self.watches.find(self.house.application, watch.id)

    async def look(self, times: int = 1, watcher: Watcher | None = None) -> None:
        """Look, at the times when it is due."""
        looking = watcher or self.watcher()
        for _ in range(times):
            await self.due()
            assert await looking.look_once() == 1

    async def due(self) -> None:
        await self.house.db.execute("UPDATE watches SET due_at = now() WHERE due_at IS NOT NULL")

    async def opened(self, request: ConnectRequest | None = None) -> ServerWatch:
        watch = await self.begin(request)
        self.outside.admits = set(ADDRESSES)
        await self.look(2)
        return watch

    async def told(self, watch: ServerWatch) -> list[tuple[str, dict[str, Any]]]:
        facts = await read(self.house.db, watch.id, after=0, limit=100)
        assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))
        assert {fact.application_id for fact in facts} <= {self.house.application.id}
        return [(str(fact.type), fact.data) for fact in facts]


@pytest.fixture
async def tower(database: Database, tmp_path: Path) -> Tower:
    house = await open_house(database, tmp_path)
    asked = await process_of(house).diagnoses.ask(house.application, Ask(host=HOST, services=(Service.IMAP,)))
    outside = Outside()
    outside.gate.set()
    return Tower(house, outside, Watches(house.db, house.vault, POOLS), asked)


def account(**changes: Any) -> ConnectRequest:
    email, settings, credentials = parse_settings({**ANN, **changes})
    return ConnectRequest("imap", email, settings, credentials, state="st")


async def kept(db: Database) -> str:
    tables = ("watches", "watch_changes", "outbox")
    return str([[tuple(row) for row in await db.fetch(f"SELECT * FROM {table}")] for table in tables])
