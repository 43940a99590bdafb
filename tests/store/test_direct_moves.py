"""The direct move: the new side is proven while the old one goes on, and then the mailbox changes hands."""

from datetime import timedelta
from pathlib import Path

import pytest

from mooring.applications import StaticIps
from mooring.config import Kind
from mooring.errors import Conflict
from mooring.grants import Grant, Handover
from mooring.jobs import Holder, LeaseKind, offer
from mooring.moves import BatchState, Move, MoveState, MoveStep
from mooring.store import Database
from tests.store.grant_house import House, open_house

IMAP, SMTP = "imap.example.test", "smtp.example.test"
DYNAMIC, STATIC = "v3-us-dynamic", "v3-us-static"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def running(house: House) -> Grant:
    """An account that is in step in the dynamic environment, of an application that has just got the feature."""
    grant, _ = await house.connect()
    async with house.moving():
        await house.synced(grant)
    house.sessions.asked.clear()
    return grant


async def moved(house: House, grant: Grant) -> Move:
    """What became of the move that switching on began."""
    await house.switch(StaticIps.ON)
    async with house.moving():
        pass
    return (await house.placements.moves(grant))[0]


async def settling(house: House, grant: Grant) -> Move:
    """A move that has handed the account over, whose worker died then."""
    await house.switch(StaticIps.ON)
    [move] = await house.placements.moves(grant)
    async with house.db.transaction() as tx:
        await house.db.execute("UPDATE moves SET offered_at = now(), state = 'proving'")
        await offer(tx, LeaseKind.MOVE, grant.id, STATIC)
    holder = Holder(house.db, timedelta(seconds=5))
    await holder.join()
    [lease] = await holder.claim(LeaseKind.MOVE, scopes=None, limit=1)
    handover = Handover(house.db, house.applications)
    taken_up = await handover.take_up(lease)
    now = await house.grants.get(grant.id)
    assert await handover.hand_over(lease, taken_up, now, holder=None, settles=True, warnings=())
    await holder.leave()
    return move


async def steps(house: House, move: Move) -> list[MoveStep]:
    return [recorded.step for recorded in await house.placements.steps(move)]


async def test_the_session_that_proves_the_new_side_is_the_one_that_goes_on(house: House) -> None:
    grant = await running(house)
    move = await moved(house, grant)
    assert (move.state, move.error, move.warnings) == (MoveState.DONE, None, ())
    assert await steps(house, move) == [MoveStep.QUEUED, MoveStep.TAKEN_UP, MoveStep.HANDED_OVER, MoveStep.IN_STEP]
    logins = [(host, environment) for host, _, environment in house.sessions.asked if environment == STATIC]
    assert logins == [(SMTP, STATIC), (IMAP, STATIC)]
    now = await house.grants.get(grant.id)
    assert (now.environment, now.sync_error) == (Kind.STATIC, None)
    assert "grant.moved" in await house.facts()


async def test_where_the_new_side_is_not_let_in_and_the_old_one_is_nothing_moves(house: House) -> None:
    grant = await running(house)
    house.sessions.filtered = {(STATIC, IMAP)}
    move = await moved(house, grant)
    assert move.state is MoveState.FAILED
    assert move.error is not None
    assert (move.error["stage"], move.error["environment"], move.error["host"]) == ("connect", "static", IMAP)
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC


async def test_where_only_the_new_side_is_let_in_its_session_goes_on_and_nothing_is_waited_for(house: House) -> None:
    house.sessions.filtered = {(DYNAMIC, IMAP)}
    grant, _ = await house.connect()
    async with house.moving():
        await house.failed(grant)
        house.sessions.asked.clear()
        await house.switch(StaticIps.ON)
        await house.synced(grant)
    [move] = await house.placements.moves(grant)
    assert await steps(house, move) == [MoveStep.QUEUED, MoveStep.TAKEN_UP, MoveStep.MOVED]
    assert [host for host, _, environment in house.sessions.asked if environment == STATIC] == [SMTP, IMAP]


async def test_where_neither_side_is_let_in_the_account_moves_to_what_is_to_be_allowed(house: House) -> None:
    house.sessions.filtered = {(DYNAMIC, IMAP)}
    grant, _ = await house.connect()
    async with house.moving():
        await house.failed(grant)
    house.sessions.filtered.add((STATIC, IMAP))
    move = await moved(house, grant)
    assert (move.state, await steps(house, move)) == (
        MoveState.DONE,
        [MoveStep.QUEUED, MoveStep.TAKEN_UP, MoveStep.MOVED],
    )
    assert "lets neither side in" in move.warnings[0]
    assert (await house.grants.get(grant.id)).environment is Kind.STATIC


@pytest.mark.parametrize("neither", [False, True])
async def test_sending_is_not_lost_by_a_move(house: House, neither: bool) -> None:
    grant = await running(house)
    house.sessions.filtered = {(STATIC, SMTP), *([(DYNAMIC, SMTP)] if neither else [])}
    move = await moved(house, grant)
    assert move.state is (MoveState.DONE if neither else MoveState.FAILED)
    said = move.warnings[0] if neither else (move.error or {})["message"]
    assert SMTP in said


async def test_another_uidvalidity_stops_it(house: House) -> None:
    grant, _ = await house.connect()
    async with house.moving():
        await house.seen(grant)
        house.sessions.accounts["ann@example.test"].inbox.uid_validity += 1
        await house.switch(StaticIps.ON)
    [move] = await house.placements.moves(grant)
    assert (move.state, (move.error or {})["reason"]) == (MoveState.FAILED, "uid_validity")


async def test_what_cannot_be_asked_from_the_old_side_is_not_put_at_risk(house: House) -> None:
    grant = await running(house)
    house.sessions.filtered = {(STATIC, SMTP)}
    await house.switch(StaticIps.ON)
    house.sessions.undeclared = {DYNAMIC}
    async with house.moving():
        pass
    [move] = await house.placements.moves(grant)
    assert (move.state, SMTP in (move.error or {})["message"]) == (MoveState.FAILED, True)


async def test_without_the_feature_nobody_stays_whatever_the_old_addresses_find(house: House) -> None:
    await house.switch(StaticIps.ON)
    grant, _ = await house.connect(application=await house.application_now())
    async with house.moving():
        await house.synced(grant)
    house.sessions.filtered = {(DYNAMIC, IMAP)}
    await house.switch(StaticIps.OFF)
    async with house.moving():
        pass
    [move] = await house.placements.moves(grant)
    assert (move.state, move.error, IMAP in move.warnings[0]) == (MoveState.DONE, None, True)
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC


async def test_other_capabilities_warn(house: House) -> None:
    grant, _ = await house.connect()
    async with house.moving():
        await house.seen(grant)
        house.sessions.accounts["ann@example.test"].capabilities = frozenset({"X-ODD"})
        await house.switch(StaticIps.ON)
    [move] = await house.placements.moves(grant)
    assert move.state is MoveState.DONE
    assert "X-ODD besides" in move.warnings[0]


async def test_a_dry_run_moves_nothing(house: House) -> None:
    grant = await running(house)
    await house.db.execute("UPDATE applications SET static_ips = 'on'")
    move = await house.placements.move(house.application, grant, Kind.STATIC, dry_run=True, by="application")
    async with house.moving():
        pass
    move = await house.placements.find_move(grant, move.id)
    assert (move.state, await steps(house, move)) == (
        MoveState.DONE,
        [MoveStep.QUEUED, MoveStep.TAKEN_UP, MoveStep.PROVEN],
    )
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC


async def test_a_password_that_changed_meanwhile_leaves_the_account_where_it_is(house: House) -> None:
    grant, _ = await house.connect()
    async with house.moving():
        await house.synced(grant)
        house.sessions.known[IMAP] = "another"
        await house.switch(StaticIps.ON)
    [move] = await house.placements.moves(grant)
    assert (move.state, (move.error or {})["stage"]) == (MoveState.FAILED, "login")
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC


@pytest.mark.parametrize("works", [True, False])
async def test_a_pool_that_is_not_there_moves_nobody(house: House, works: bool) -> None:
    grant, _ = await house.connect()
    house.sessions.filtered = set() if works else {(DYNAMIC, IMAP)}
    async with house.moving():
        await (house.synced(grant) if works else house.failed(grant))
    house.sessions.undeclared = {STATIC}
    move = await moved(house, grant)
    assert (move.state, (move.error or {})["stage"]) == (MoveState.FAILED, "egress")
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC


async def test_who_does_not_run_is_placed(house: House) -> None:
    grant = await running(house)
    await house.placements.stop(house.application, grant, by="operator")
    move = await moved(house, grant)
    assert move.state is MoveState.DONE
    assert house.sessions.asked == []
    stopped = await house.grants.get(grant.id)
    assert (stopped.environment, stopped.stopped_at is None) == (Kind.STATIC, False)
    await house.placements.start(await house.application_now(), stopped, by="operator")
    assert (await house.lease(grant))[0] == STATIC


async def test_an_authentication_meanwhile_ends_the_move(house: House) -> None:
    grant = await running(house)
    await house.switch(StaticIps.ON)
    await house.connect(application=await house.application_now())
    [move] = await house.placements.moves(grant)
    assert (move.state, await steps(house, move)) == (
        MoveState.DONE,
        [MoveStep.QUEUED, MoveStep.AUTHENTICATED_AGAIN],
    )
    assert (await house.lease(grant))[0] == STATIC


async def test_switched_off_in_the_middle(house: House) -> None:
    grant = await running(house)
    await house.switch(StaticIps.ON)
    house.sessions.gate.clear()
    async with house.moving():
        await house.asked(STATIC)
        assert (await house.switch(StaticIps.OFF))[1] == 0
        house.sessions.gate.set()
    [move] = await house.placements.moves(grant)
    assert move.state is MoveState.ROLLED_BACK
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC
    assert (await house.lease(grant))[0] == DYNAMIC


async def test_asking_again_moves_nobody(house: House) -> None:
    grant = await running(house)
    await moved(house, grant)
    await house.placements.move(await house.application_now(), grant, Kind.DYNAMIC, by="application")
    async with house.moving():
        pass
    await house.feature.ask(house.application.id)
    assert len(await house.placements.moves(grant)) == 2
    assert (await house.switch(StaticIps.ON))[1] == 1


async def test_a_dry_run_stands_in_nobodys_way(house: House) -> None:
    grant = await running(house)
    await house.db.execute("UPDATE applications SET static_ips = 'on'")
    application = await house.application_now()
    dry = await house.placements.move(application, grant, Kind.STATIC, dry_run=True, by="application")
    assert (await house.switch(StaticIps.ON))[1] == 1
    assert (await house.placements.find_move(grant, dry.id)).state is MoveState.ROLLED_BACK
    async with house.moving():
        pass
    assert (await house.grants.get(grant.id)).environment is Kind.STATIC


async def test_stopped_while_it_settles(house: House) -> None:
    grant = await running(house)
    move = await settling(house, grant)
    await house.placements.stop(await house.application_now(), grant, by="operator")
    async with house.moving():
        pass
    move = await house.placements.find_move(grant, move.id)
    assert move.state is MoveState.DONE
    assert (await steps(house, move))[-2:] == [MoveStep.HANDED_OVER, MoveStep.MOVED]
    assert await house.db.fetchval("SELECT count(*) FROM leases") == 0


async def test_it_steps_back_when_the_new_side_fails_after_all(house: House) -> None:
    grant = await running(house)
    move = await settling(house, grant)
    house.sessions.filtered = {(STATIC, IMAP)}
    async with house.moving():
        pass
    move = await house.placements.find_move(grant, move.id)
    assert (move.state, (move.error or {})["environment"]) == (MoveState.ROLLED_BACK, "static")
    assert (await house.grants.get(grant.id)).environment is Kind.DYNAMIC
    assert (await house.lease(grant))[0] == DYNAMIC


async def test_an_authentication_ends_a_move_that_leads_elsewhere(house: House) -> None:
    grant = await running(house)
    await moved(house, grant)
    application = await house.application_now()
    move = await house.placements.move(application, grant, Kind.DYNAMIC, by="application")
    await house.connect(application=application)
    assert (await house.placements.find_move(grant, move.id)).state is MoveState.ROLLED_BACK
    assert (await house.grants.get(grant.id)).environment is Kind.STATIC


async def test_a_batch_that_led_away_from_static_is_not_rolled_back_without_the_feature(house: House) -> None:
    grant = await running(house)
    await moved(house, grant)
    await house.switch(StaticIps.OFF)
    [off, _] = await house.feature.batches(house.application.id)
    with pytest.raises(Conflict, match="not on"):
        await house.feature.roll_back(house.application.id, off.id, by="operator")
    assert (await house.feature.batches(house.application.id))[0].state is BatchState.RUNNING


async def test_deleted_in_the_middle(house: House) -> None:
    grant = await running(house)
    await house.switch(StaticIps.ON)
    house.sessions.gate.clear()
    async with house.moving():
        await house.asked(STATIC)
        await house.grants.delete(await house.application_now(), grant.id)
        house.sessions.gate.set()
    assert await house.db.fetchval("SELECT count(*) FROM leases") == 0
    assert await house.db.fetchval("SELECT count(*) FROM moves") == 0


async def test_a_batch_is_paused_resumed_and_rolled_back(house: House) -> None:
    grants = [(await house.connect(email=f"ann{n}@example.test"))[0] for n in range(8)]
    application, moved = await house.switch(StaticIps.ON)
    assert moved == 8
    [batch] = await house.feature.batches(application.id)
    assert (batch.total, batch.ended, batch.counts) == (8, 0, {MoveState.WAITING: 8})
    await house.feature.pause(application.id, batch.id)
    assert (await house.feature.batches(application.id))[0].state is BatchState.PAUSED
    await house.feature.resume(application.id, batch.id)
    async with house.moving():
        pass
    [batch] = await house.feature.batches(application.id)
    assert (batch.ended, batch.counts) == (8, {MoveState.DONE: 8})
    assert await house.feature.roll_back(application.id, batch.id, by="operator") == 8
    async with house.moving():
        pass
    back, forth = await house.feature.batches(application.id)
    assert (back.target, back.counts, forth.state) == (Kind.DYNAMIC, {MoveState.DONE: 8}, BatchState.ROLLED_BACK)
    assert {(await house.grants.get(g.id)).environment for g in grants} == {Kind.DYNAMIC}
