"""Static addresses are asked for and decided, by whom and why; and placements follow."""

from pathlib import Path

import pytest

from mooring.applications import StaticIps
from mooring.config import Generation, Kind
from mooring.errors import Conflict, NotFound
from mooring.grants import Feature
from mooring.store import Database
from tests.store.grant_house import House, open_house


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def test_asked_for_and_granted(house: House) -> None:
    grant, _ = await house.connect()
    asked = await house.feature.ask(house.application.id, note="bank.example filters")
    assert asked.static_ips is StaticIps.REQUESTED
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC
    assert (await house.feature.ask(house.application.id)).static_ips is StaticIps.REQUESTED
    application, moved = await house.feature.decide(
        house.application.id, StaticIps.ON, by="operator ann", note="contract 7"
    )
    assert (application.static_ips, moved) == (StaticIps.ON, 1)
    async with house.moving():
        pass
    assert (await house.grants.get(grant.id)).environment is Kind.STATIC
    changes = await house.feature.changes(house.application.id)
    assert [(c.before, c.after, c.by, c.note) for c in changes] == [
        ("off", "requested", "application", "bank.example filters"),
        ("requested", "on", "operator ann", "contract 7"),
    ]
    assert changes[0].at < changes[1].at


async def test_a_denial_can_be_asked_against(house: House) -> None:
    with pytest.raises(Conflict):
        await house.switch(StaticIps.DENIED)
    assert await house.feature.changes(house.application.id) == []
    await house.feature.ask(house.application.id)
    assert (await house.switch(StaticIps.DENIED))[0].static_ips is StaticIps.DENIED
    assert (await house.feature.ask(house.application.id)).static_ips is StaticIps.REQUESTED


async def test_where_the_policy_is_self_serve_asking_is_having(house: House, database: Database) -> None:
    grant, _ = await house.connect()
    feature = Feature(database, house.applications, house.placements, self_serve=True)
    assert (await feature.ask(house.application.id)).static_ips is StaticIps.ON
    async with house.moving():
        pass
    assert (await house.grants.get(grant.id)).environment is Kind.STATIC
    assert [c.by for c in await feature.changes(house.application.id)] == ["application"]


async def test_asking_for_a_whole_organisation(house: House) -> None:
    other = (await house.applications.create(name="B", generation=Generation.V2, region="eu")).application
    assert (await house.feature.ask_for_all(house.application.id, note="both")).static_ips is StaticIps.REQUESTED
    assert (await house.applications.get(other.id)).static_ips is StaticIps.REQUESTED
    assert [c.note for c in await house.feature.changes(other.id)] == ["both"]


async def test_nobody_asks_for_what_does_not_exist(house: House) -> None:
    with pytest.raises(NotFound):
        await house.feature.ask("nobody")
