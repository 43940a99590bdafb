"""Whatever is done to an account, in whatever order: dials leave as spec §4 says, and its mailbox has one holder."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.applications import StaticIps
from mooring.config import Generation, Kind, MigrationMode
from mooring.egress import Traffic
from mooring.errors import Conflict, Forbidden, NotFound, ProviderFailure
from mooring.grants import Attempt, Grant
from mooring.store import Database
from tests.store.grant_house import IMAP_HOST, STAGED_DELAY, FakeSessions, House, open_house

STEPS = (
    *("connect", "on", "off", "to static", "to dynamic", "staged"),
    *("stop", "start", "wait", "filter", "work", "delete"),
)


@dataclass
class Watching(FakeSessions):
    """Servers that keep by which traffic class and from which environment they were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Traffic, Kind]] = []

    async def _login(self, attempt: Attempt, server: Any, password: str) -> None:
        self.seen.append((attempt.way.traffic, attempt.way.environment.kind))
        await super()._login(attempt, server, password)


async def state(house: House) -> tuple[Grant | None, bool, set[Kind]]:
    """The account, whether the feature is on, and where moves that have not ended lead."""
    application = await house.application_now()
    found = await house.db.fetchval("SELECT id FROM grants WHERE application_id = $1", application.id)
    targets = await house.db.fetch(
        "SELECT target FROM moves WHERE application_id = $1 AND ended_at IS NULL", application.id
    )
    grant = await house.grants.get(found) if found else None
    return grant, application.feature_on, {Kind(row["target"]) for row in targets}


def allowed(generation: Generation, feature_on: bool, traffic: Traffic, places: set[Kind]) -> set[Kind]:
    """The table of spec §4, written down once more; ``places`` is where the account is, or is being moved to."""
    if traffic is Traffic.PROBE:
        return set(Kind)
    if generation is Generation.V3:
        return {Kind.STATIC} if traffic is Traffic.AUTH else places
    if not feature_on:
        return {Kind.DYNAMIC}
    return {Kind.STATIC} if traffic is Traffic.AUTH else places


async def do(house: House, step: str) -> None:
    """One step; what cannot be done now is refused, and that is fine."""
    application = await house.application_now()
    grant, _, _ = await state(house)
    placements = house.placements
    simple: dict[str, Callable[[], Awaitable[object]]] = {
        "connect": lambda: house.connect(application=application),
        "on": lambda: house.switch(StaticIps.ON),
        "off": lambda: house.switch(StaticIps.OFF),
    }
    if step == "wait":
        house.clock.pass_by(STAGED_DELAY)
    elif step == "filter":
        blocked = {(f"{application.generation}-us-dynamic", IMAP_HOST)}
        house.sessions.filtered = set() if house.sessions.filtered else blocked
    elif step == "work":
        async with house.moving():
            pass
    elif step in simple:
        await simple[step]()
    elif grant is not None:
        await {
            "to static": lambda: placements.move(
                application, grant, Kind.STATIC, mode=MigrationMode.DIRECT, by="application"
            ),
            "to dynamic": lambda: placements.move(application, grant, Kind.DYNAMIC, by="application"),
            "staged": lambda: placements.move(
                application, grant, Kind.STATIC, mode=MigrationMode.STAGED, by="application"
            ),
            "stop": lambda: placements.stop(application, grant, by="operator"),
            "start": lambda: placements.start(application, grant, by="operator"),
            "delete": lambda: house.grants.delete(application, grant.id),
        }[step]()


async def check(house: House, before: tuple[Grant | None, bool, set[Kind]]) -> None:
    """Hold what was dialled, and what is held, against the rules."""
    after = await state(house)
    sessions = house.sessions
    assert isinstance(sessions, Watching)
    for traffic, kind in sessions.seen:
        permitted: set[Kind] = set()
        for grant, feature_on, targets in (before, after):
            places = targets | ({grant.environment} if grant else set())
            permitted |= allowed(house.application.generation, feature_on, traffic, places)
        assert kind in permitted, (traffic, kind)
        if traffic is Traffic.SYNC:
            assert before[0] is not None
            assert before[0].stopped_at is None
    sessions.seen.clear()
    grant, _, targets = after
    application = house.application
    leases = await house.db.fetch("SELECT scope FROM leases WHERE kind = 'mailbox'")
    moves = await house.db.fetchval(
        "SELECT count(*) FROM leases l WHERE kind = 'move' AND NOT EXISTS "
        "(SELECT FROM moves m WHERE m.grant_id = l.subject AND m.ended_at IS NULL)"
    )
    assert moves == 0
    if grant is None or grant.stopped_at is not None:
        assert leases == []
    else:
        assert [row["scope"] for row in leases] == [str(application.environment(grant.environment))]
    assert len(targets) <= 1


async def walk(url: str, folder: Path, generation: Generation, steps: list[str]) -> None:
    database = await Database.open(url)
    try:
        await database.execute("TRUNCATE applications, leases, outbox, outbox_sequences CASCADE")
        house = await open_house(database, folder, sessions=Watching(), generation=generation)
        for step in steps:
            before = await state(house)
            with suppress(Conflict, Forbidden, NotFound, ProviderFailure):
                await do(house, step)
            await check(house, before)
    finally:
        await database.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([Generation.V2, Generation.V3]), st.lists(st.sampled_from(STEPS), min_size=4, max_size=14))
def test_any_order(database_url: str, tmp_path: Path, generation: Generation, steps: list[str]) -> None:
    asyncio.run(walk(database_url, tmp_path, generation, ["connect", *steps]))
