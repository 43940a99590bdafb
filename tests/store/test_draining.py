"""Draining a source, as far as the database knows of it: who moves, who does not, and what is called off."""

from pathlib import Path

import pytest

from mooring.config import Kind, MigrationMode
from mooring.grants import Draining, Grant, Leaving
from mooring.moves import MoveState
from mooring.store import Database
from tests.store.grant_house import House, open_house

LEFT = "v3-us-dynamic-1"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


@pytest.fixture
def draining(house: House) -> Draining:
    return Draining(house.db, house.applications)


async def keep(house: House, grant: Grant, environment: str, source: str) -> None:
    await house.db.execute(
        "INSERT INTO assignments (subject, environment, family, source) VALUES ($1, $2, 4, $3)",
        grant.subject, environment, source,
    )  # fmt: skip


async def kept(house: House) -> list[str]:
    return [row["source"] for row in await house.db.fetch("SELECT source FROM assignments ORDER BY source")]


async def test_who_leaves_by_it_moves_and_who_only_authenticates_by_it_keeps_it_no_longer(
    house: House, draining: Draining
) -> None:
    one, _ = await house.connect()
    other, _ = await house.connect(email="bo@example.test")
    await keep(house, one, "v3-us-dynamic", LEFT)
    await keep(house, other, "v3-us-static", LEFT)
    assert await draining.drain(LEFT, by="operator") == 1
    assert await kept(house) == [LEFT]
    assert await draining.progress(LEFT) == Leaving(1, 1, ())
    [move] = await house.placements.moves(one)
    assert (move.target, move.leaves, move.mode) == (Kind.DYNAMIC, LEFT, MigrationMode.DIRECT)
    assert await draining.drain(LEFT, by="operator") == 0
    async with house.moving():
        pass
    assert await draining.progress(LEFT) == Leaving(0, 0, ())
    assert "grant.moved" not in await house.facts()


async def test_a_dry_run_is_called_off_for_it(house: House, draining: Draining) -> None:
    grant, _ = await house.connect()
    await keep(house, grant, "v3-us-dynamic", LEFT)
    await house.db.execute("UPDATE applications SET static_ips = 'on'")
    dry = await house.placements.move(await house.application_now(), grant, Kind.STATIC, dry_run=True, by="application")
    assert await draining.drain(LEFT, by="operator") == 1
    assert (await house.placements.find_move(grant, dry.id)).state is MoveState.ROLLED_BACK


async def test_undone_it_calls_off_who_waits(house: House, draining: Draining) -> None:
    grant, _ = await house.connect()
    await keep(house, grant, "v3-us-dynamic", LEFT)
    await draining.drain(LEFT, by="operator")
    await draining.undo(LEFT)
    [move] = await house.placements.moves(grant)
    assert (move.state, await kept(house)) == (MoveState.ROLLED_BACK, [LEFT])
    assert await draining.progress(LEFT) == Leaving(1, 0, ())


async def test_an_authentication_that_places_it_elsewhere_ends_it(house: House, draining: Draining) -> None:
    grant, _ = await house.connect()
    await keep(house, grant, "v3-us-dynamic", LEFT)
    await draining.drain(LEFT, by="operator")
    await house.connect()
    [move] = await house.placements.moves(grant)
    assert move.state is MoveState.WAITING
    await house.db.execute("UPDATE applications SET static_ips = 'on'")
    placed, _ = await house.connect(application=await house.application_now())
    [move] = await house.placements.moves(grant)
    assert (placed.environment, move.state) == (Kind.STATIC, MoveState.ROLLED_BACK)
