"""Diagnoses over a real database, by an investigator that looks at nothing and says what it is told to."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from mooring.config import EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.config.types import Carrier
from mooring.diagnosis import (
    Ask,
    Carrying,
    Code,
    Concluded,
    Diagnoses,
    Diagnosis,
    DiagnosisPolicy,
    Evidence,
    Followers,
    Hindsight,
    LookedUp,
    Means,
    Observation,
    Observed,
    Outcome,
    Question,
    Reader,
    Secrets,
    Stage,
    Tell,
    Told,
    Vantage,
    Verdict,
    guessing,
    scopes_of,
)
from mooring.diagnosis.types import Lookup
from mooring.egress import Ledger
from tests.store.grant_house import House
from tests.waiting import until_async

LEASE = timedelta(seconds=5)


def pool(name: str, *addresses: str) -> PoolConfig:
    generation, region, kind = name.split("-")
    sources = tuple(
        SourceConfig(f"{name}-{n}", a, Via(Carrier.BIND, local=a))  # pyright: ignore[reportArgumentType]
        for n, a in enumerate(addresses, 1)
    )
    return PoolConfig(EnvironmentName(Generation(generation), region, Kind(kind)), sources)


POOLS = (pool("v3-us-static", "203.0.113.10"), pool("v3-us-dynamic", "198.51.100.20"))

VERDICT = Verdict(Code.NEEDED, 0.97, "It filters.", {reader: ["Do."] for reader in Reader}, row="needed", proof=(1,))


@dataclass
class Investigator:
    """Concludes at once, or when the gate is opened.

    Attributes:
        error: raised instead of a verdict.
        most: how many were ever under way at once.
    """

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    asked: list[tuple[Question, Secrets]] = field(default_factory=list[tuple[Question, Secrets]])
    under_way: int = 0
    most: int = 0

    async def __call__(self, question: Question, secrets: Secrets, tell: Tell) -> tuple[Evidence, Verdict]:
        self.asked.append((question, secrets))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            target = question.targets[0]
            tell(LookedUp(Lookup(target.host, ("192.0.2.1",))))
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            seen = Observation(
                1, datetime(2026, 1, 31, tzinfo=UTC), Vantage.STATIC, "v3-us-static", "s1", "203.0.113.10",
                target.service, target.host, target.port, "192.0.2.1", Outcome.REACHED, Stage.CAPABILITY,
            )  # fmt: skip
            tell(Observed(seen))
            tell(Concluded(VERDICT))
            return Evidence(question, (), observations=(seen,)), VERDICT
        finally:
            self.under_way -= 1


@dataclass
class Process:
    """One process that asks for diagnoses and carries them out."""

    house: House
    diagnoses: Diagnoses
    investigator: Investigator
    names: dict[str, Lookup]

    async def ask(self, **about: Any) -> Diagnosis:
        return await self.diagnoses.ask(self.house.application, Ask(**about))

    async def ended(self, diagnosis_id: str) -> Diagnosis:
        async def has_ended() -> bool:
            return (await self.diagnoses.get(diagnosis_id)).state.is_end

        await until_async(has_ended, what="the diagnosis has ended", timeout_s=20)
        return await self.diagnoses.get(diagnosis_id)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[asyncio.Task[None]]:
        task = asyncio.create_task(self.diagnoses.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until_asked(self, count: int = 1) -> None:
        async def was_asked() -> bool:
            return len(self.investigator.asked) >= count

        await until_async(was_asked, what="the investigator is asked", timeout_s=20)


def process_of(
    house: House,
    *,
    pools: tuple[PoolConfig, ...] = POOLS,
    allow: tuple[str, ...] = (),
    at_once: int = 64,
    lease: timedelta = LEASE,
    opened: bool = True,
    investigate: Callable[..., Any] | None = None,
) -> Process:
    """Another process over the same database."""
    investigator, names = Investigator(), dict[str, Lookup]()
    if opened:
        investigator.gate.set()

    async def look_up(question: Question, host: str, port: int) -> Lookup:
        return names.get(host, Lookup(host, problem="no_such_name"))

    followers = Followers(house.db)
    means = Means(investigate or investigator, guessing(look_up))
    carrying = Carrying(
        house.db, house.vault, house.grants, house.keys, followers, means,
        scopes=scopes_of(pools, pools), lease=lease, at_once=at_once,
    )  # fmt: skip
    policy = DiagnosisPolicy(POOLS, tuple(ip_network(n) for n in allow), frozenset({("203.0.113.99", 993)}))
    hindsight = Hindsight(house.db, Ledger(house.db, house.clock, timedelta(days=90)), house.clock, POOLS)
    diagnoses = Diagnoses(house.db, house.vault, house.grants, policy, look_up, followers, carrying, hindsight)
    return Process(house, diagnoses, investigator, names)


async def followed(process: Process, diagnosis_id: str, after: int = 0) -> list[Told]:
    return [told async for told in process.diagnoses.follow(diagnosis_id, after=after) if told is not None]
