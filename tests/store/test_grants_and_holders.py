"""A grant is changed while the holder of its mailbox writes: each waits for the other, and neither fails."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from mooring.config import Kind
from mooring.errors import LostOwnership
from mooring.grants import Grant, set_sync_health
from mooring.jobs import Holder, Lease, LeaseKind, fenced
from mooring.store import Database
from tests.store.grant_house import House, open_house
from tests.waiting import until_async

CHANGES = ("stop", "update", "scope", "connect", "delete")


async def change(house: House, grant: Grant, what: str) -> object:
    match what:
        case "stop":
            return await house.placements.stop(house.application, grant, by="operator")
        case "update":
            return await house.grants.update(house.application, grant.id, settings={"imap_port": 993})
        case "scope":
            return await house.grants.update(house.application, grant.id, settings=None, scope=("only",))
        case "connect":
            return await house.connect(name="again")
        case _:
            return await house.grants.delete(house.application, grant.id)


async def held(house: House) -> tuple[Grant, Lease]:
    grant, _ = await house.connect()
    holder = Holder(house.db, timedelta(minutes=1))
    await holder.join()
    [lease] = await holder.claim(LeaseKind.MAILBOX, scopes=None, limit=1)
    return grant, lease


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_waits_for_the_holder_to_finish_its_write(database: Database, tmp_path: Path, what: str) -> None:
    house = await open_house(database, tmp_path)
    grant, lease = await held(house)

    async def somebody_waits() -> bool:
        return await database.fetchval(
            """SELECT EXISTS (SELECT FROM pg_stat_activity
                              WHERE wait_event_type = 'Lock' AND datname = current_database())"""
        )

    async with fenced(database, lease) as tx:
        changing = asyncio.create_task(change(house, grant, what))
        await until_async(somebody_waits, what="the change waits for the holder")
        await set_sync_health(tx, grant.id, {"message": "written by the holder"})
    await changing
    if what == "scope":
        async with fenced(database, lease):
            return
    with pytest.raises(LostOwnership):
        async with fenced(database, lease):
            pass


async def test_a_grant_that_is_deleted_while_it_is_authenticated_again_comes_back_as_a_new_one(
    database: Database, tmp_path: Path
) -> None:
    house = await open_house(database, tmp_path)
    grant, _ = await house.connect()
    async with house.during(house.connect()) as connecting:
        await house.grants.delete(house.application, grant.id)
    again, created = await connecting
    assert (created, again.id == grant.id, again.environment) == (True, False, Kind.DYNAMIC)
    assert await database.fetchval("SELECT array_agg(subject) FROM leases") == [again.id]
