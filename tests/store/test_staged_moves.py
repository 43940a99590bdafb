"""The staged move, line by line of the article: S9 to S13, on a clock that the test moves."""

from datetime import timedelta
from pathlib import Path

import pytest

from mooring.applications import Application, StaticIps
from mooring.config import Generation, Kind, MigrationMode
from mooring.errors import Conflict, Forbidden
from mooring.grants import Grant, Stopped, TooEarly, require_running
from mooring.moves import MoveState, MoveStep
from mooring.store import Database
from tests.store.grant_house import STAGED_DELAY, House, open_house


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


@pytest.fixture
async def app(house: House) -> Application:
    """A v2 application with the feature on."""
    made = await house.applications.create(name="V2", generation=Generation.V2, region="us")
    return (await house.feature.decide(made.application.id, StaticIps.ON, by="operator"))[0]


async def first(house: House, app: Application) -> Grant:
    """An account after its first authentication."""
    return (await house.connect(application=app))[0]


async def leases(house: House) -> list[str]:
    return [row["scope"] for row in await house.db.fetch("SELECT scope FROM leases WHERE kind = 'mailbox'")]


async def story(house: House, grant: Grant) -> list[tuple[MoveStep, MoveState]]:
    [move] = await house.placements.moves(grant)
    return [(step.step, step.state) for step in await house.placements.steps(move)]


async def test_s9_s10_the_first_authentication_is_from_static_and_the_account_stops(
    house: House, app: Application
) -> None:
    grant = await first(house, app)
    assert {environment for _, _, environment in house.sessions.asked} == {"v2-us-static"}
    assert grant.environment is Kind.DYNAMIC
    assert grant.stopped_at == house.clock.now()
    assert grant.start_due_at == house.clock.now() + STAGED_DELAY
    assert await leases(house) == []
    assert await house.facts() == ["grant.created", "grant.stopped"]
    assert await story(house, grant) == [
        (MoveStep.AUTHENTICATED, MoveState.PLACED),
        (MoveStep.STOPPED, MoveState.STOPPED),
    ]
    with pytest.raises(Stopped, match="until"):
        require_running(grant)


async def test_s11_the_second_authentication_after_the_delay_places_it(house: House, app: Application) -> None:
    grant = await first(house, app)
    house.clock.pass_by(STAGED_DELAY)
    again, created = await house.connect(application=app)
    assert (again.id, created, again.environment, again.stopped_at) == (grant.id, False, Kind.STATIC, None)
    assert await leases(house) == ["v2-us-static"]
    assert (await story(house, grant))[-1] == (MoveStep.AUTHENTICATED_AGAIN, MoveState.DONE)


async def test_s12_an_administrator_starts_it_instead(house: House, app: Application) -> None:
    grant = await first(house, app)
    await house.placements.stop(app, grant, by="operator")
    assert await house.grants.get(grant.id) == grant
    house.clock.pass_by(STAGED_DELAY)
    asked = len(house.sessions.asked)
    await house.placements.start(app, grant, by="operator ann")
    started = await house.grants.get(grant.id)
    assert (started.environment, started.stopped_at) == (Kind.STATIC, None)
    assert len(house.sessions.asked) == asked
    assert await house.facts() == ["grant.created", "grant.stopped", "grant.moved", "grant.started"]


async def test_s12_too_early_says_how_long_and_changes_nothing(house: House, app: Application) -> None:
    grant = await first(house, app)
    house.clock.pass_by(timedelta(minutes=12, seconds=30))
    before, asked = await house.row(), len(house.sessions.asked)
    with pytest.raises(TooEarly, match="1050 seconds") as early:
        await house.connect(application=app)
    assert early.value.seconds_left == 1050
    with pytest.raises(TooEarly):
        await house.placements.start(app, grant, by="operator")
    assert await house.row() == before
    assert len(house.sessions.asked) == asked
    house.clock.pass_by(timedelta(minutes=17, seconds=29))
    with pytest.raises(TooEarly, match="1 seconds"):
        await house.connect(application=app)


async def test_s12_a_running_account_stays_until_it_is_authenticated_and_a_plain_stop_and_start_moves_nothing(
    house: House,
) -> None:
    app = (await house.applications.create(name="V2", generation=Generation.V2, region="us")).application
    grant = await first(house, app)
    app, moved = await house.feature.decide(app.id, StaticIps.ON, by="operator")
    assert moved == 0
    await house.placements.stop(app, grant, by="operator")
    await house.placements.start(app, grant, by="operator")
    running = await house.grants.get(grant.id)
    assert (running.environment, running.stopped_at) == (Kind.DYNAMIC, None)
    assert await leases(house) == ["v2-us-dynamic"]
    again, created = await house.connect(application=app)
    assert (created, again.stopped_at) == (False, house.clock.now())
    house.clock.pass_by(STAGED_DELAY)
    assert (await house.connect(application=app))[0].environment is Kind.STATIC


async def test_s13_later_authentications_are_ordinary(house: House, app: Application) -> None:
    grant = await first(house, app)
    house.clock.pass_by(STAGED_DELAY)
    await house.connect(application=app)
    later, _ = await house.connect(application=app)
    assert (later.environment, later.stopped_at) == (Kind.STATIC, None)
    assert len(await house.placements.moves(grant)) == 1


async def test_switching_off_starts_who_was_stopped_where_it_was(house: House, app: Application) -> None:
    grant = await first(house, app)
    await house.feature.decide(app.id, StaticIps.OFF, by="operator")
    running = await house.grants.get(grant.id)
    assert (running.environment, running.stopped_at) == (Kind.DYNAMIC, None)
    assert (await story(house, grant))[-1] == (MoveStep.CALLED_OFF, MoveState.ROLLED_BACK)
    assert await leases(house) == ["v2-us-dynamic"]
    assert await house.facts() == ["grant.created", "grant.stopped", "grant.started"]


async def test_stopping_what_is_stopped_is_told_once(house: House, app: Application) -> None:
    grant, _ = await house.connect(application=(await house.feature.decide(app.id, StaticIps.OFF, by="o"))[0])
    await house.placements.stop(app, grant, by="operator")
    await house.feature.decide(app.id, StaticIps.ON, by="o")
    await first(house, app)
    assert (await house.facts()).count("grant.stopped") == 1
    assert (await house.placements.moves(grant))[0].seconds_left(house.clock.now()) == STAGED_DELAY.total_seconds()


async def test_a_new_account_knows_where_its_folders_ended(house: House, app: Application) -> None:
    inbox = (await first(house, app)).landmarks
    assert inbox == {b"INBOX".hex(): (1, 1)}
    house.clock.pass_by(STAGED_DELAY)
    house.sessions.accounts["ann@example.test"].inbox.deliver(
        b"Subject: news\r\n\r\nsince\r\n", received=house.clock.now()
    )
    grant, _ = await house.connect(application=app)
    async with house.moving():
        await house.synced(grant)
    assert [fact for fact in await house.facts() if fact.startswith("message")] == ["message.created"]


async def test_a_staged_move_can_be_asked_for(house: House, app: Application) -> None:
    v3 = (await house.feature.decide(house.application.id, StaticIps.OFF, by="operator"))[0]
    grant, _ = await house.connect(application=v3)
    with pytest.raises(Forbidden):
        await house.placements.move(v3, grant, Kind.STATIC, by="application")
    with pytest.raises(Conflict, match="already"):
        await house.placements.move(v3, grant, Kind.DYNAMIC, by="application")
    await house.applications.set_migration_mode(v3.id, MigrationMode.STAGED)
    v3, moved = await house.feature.decide(v3.id, StaticIps.ON, by="operator")
    assert moved == 0
    move = await house.placements.move(v3, grant, Kind.STATIC, by="application")
    assert (move.state, move.mode) == (MoveState.STOPPED, MigrationMode.STAGED)
    with pytest.raises(Conflict, match="being moved"):
        await house.placements.move(v3, grant, Kind.STATIC, mode=MigrationMode.DIRECT, by="application")
    house.clock.pass_by(STAGED_DELAY)
    await house.placements.start(v3, grant, by="application")
    assert (await house.placements.find_move(grant, move.id)).state is MoveState.DONE
