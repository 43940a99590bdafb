"""Watches over a real database: claimed, written down and told once, whoever dies; the account connected once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mooring.clock import SystemClock
from mooring.diagnosis import (
    Ask,
    Authentication,
    ChangeKind,
    ServerWatch,
    Service,
    Vantage,
    Watches,
    WatchState,
    forget_watches,
)
from mooring.diagnosis.gentle.budget import UNANSWERED, UNUSED
from mooring.diagnosis.gentle.spending import SharedBudget
from mooring.errors import Conflict, InvalidRequest, NotFound
from mooring.grants import ConnectRequest, Grants
from mooring.store import Database
from tests.store.diagnosis_house import POOLS, process_of
from tests.store.grant_house import PASSWORD, House, open_house
from tests.store.watch_house import ADDRESSES, HOST, Outside, Tower, account, kept
from tests.waiting import until_async


@pytest.fixture
async def tower(database: Database, tmp_path: Path) -> Tower:
    house = await open_house(database, tmp_path)
    asked = await process_of(house).diagnoses.ask(house.application, Ask(host=HOST, services=(Service.IMAP,)))
    outside = Outside()
    outside.gate.set()
    return Tower(house, outside, Watches(house.db, house.vault, POOLS), asked)


async def test_a_rule_goes_live_for_a_part_then_for_all_and_disappears(tower: Tower) -> None:
    watch = await tower.begin()
    assert (watch.standing.state, watch.environment, watch.authentication) == (
        WatchState.WAITING, "v3-us-static", Authentication.NONE,
    )  # fmt: skip
    await tower.look(2)
    assert (await tower.find(watch)).changes == ()
    assert {p.exit.address for p in tower.outside.probed} == set(ADDRESSES)
    assert {p.exit.vantage for p in tower.outside.probed} == {Vantage.STATIC}
    tower.outside.admits = {ADDRESSES[0]}
    await tower.look(2)
    tower.outside.admits = set(ADDRESSES)
    await tower.look(2)
    assert (await tower.find(watch)).standing.state is WatchState.OPEN
    tower.outside.admits = {ADDRESSES[1]}
    await tower.look(2)
    found = await tower.find(watch)
    assert [(c.kind, c.addresses, c.open, c.total) for c in found.changes] == [
        (ChangeKind.OPENED, (ADDRESSES[0],), 1, 2), (ChangeKind.OPENED, (ADDRESSES[1],), 2, 2),
        (ChangeKind.CLOSED, (ADDRESSES[0],), 1, 2),
    ]  # fmt: skip
    told = await tower.told(watch)
    assert [kind for kind, _ in told] == ["watch.changed", "watch.opened", "watch.closed"]
    assert told[1][1] == {
        "id": watch.id, "state": "open", "servers": [f"imap {HOST}:993"], "change": "opened",
        "at": int(found.changes[1].at.timestamp()), "addresses": [ADDRESSES[1]], "open": 2, "total": 2,
        "grant_id": None,
    }  # fmt: skip
    assert [w.id for w in await tower.watches.list(tower.house.application, limit=10)] == [watch.id]


async def test_a_broken_exit_of_ours_closes_nothing_and_what_is_spared_was_not_looked_at(tower: Tower) -> None:
    watch = await tower.opened()
    tower.outside.admits, tower.outside.works = set(), False
    await tower.look(4)
    tower.outside.works, tower.outside.spared = True, set(ADDRESSES)
    await tower.look(4)
    assert (await tower.find(watch)).standing.state is WatchState.OPEN
    tower.outside.spared = set()
    await tower.look(2)
    assert (await tower.find(watch)).standing.state is WatchState.WAITING


async def test_a_name_that_leads_nowhere_is_said(tower: Tower) -> None:
    watch = await tower.begin()
    tower.outside.problem = "no_such_name"
    await tower.look()
    assert (await tower.find(watch)).standing.problem == "no_such_name"
    tower.outside.problem = ""
    await tower.look()
    assert (await tower.find(watch)).standing.problem == ""


async def test_two_processes_never_look_at_the_same_time(tower: Tower) -> None:
    await tower.begin()
    tower.outside.gate.clear()
    first = asyncio.create_task(tower.watcher().look_once())

    async def has_begun() -> bool:
        return len(tower.outside.probed) == 2

    await until_async(has_begun, what="the first process probes")
    assert await tower.watcher().look_once() == 0
    tower.outside.gate.set()
    assert await first == 1
    assert len(tower.outside.probed) == 2


async def test_a_process_that_dies_in_between_costs_one_look(tower: Tower) -> None:
    watch = await tower.begin()
    tower.outside.admits = set(ADDRESSES)
    await tower.look()
    dead = Outside(admits=set(ADDRESSES))
    await tower.due()
    dying = asyncio.create_task(tower.watcher(dead).look_once())

    async def has_begun() -> bool:
        return len(dead.probed) == 2

    await until_async(has_begun, what="the process that is to die probes")
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await tower.watcher().look_once() == 0
    left = await tower.house.db.fetchval("SELECT due_at - now() FROM watches")
    assert timedelta(0) < left <= timedelta(minutes=4)
    await tower.look()
    assert [kind for kind, _ in await tower.told(watch)] == ["watch.opened"]


async def test_whoever_was_thought_dead_writes_nothing(tower: Tower) -> None:
    watch = await tower.begin()
    slow = Outside(admits=set(ADDRESSES))
    stalled = asyncio.create_task(tower.watcher(slow).look_once())

    async def has_begun() -> bool:
        return len(slow.probed) == 2

    await until_async(has_begun, what="the process that stalls probes")
    tower.outside.admits = set(ADDRESSES)
    await tower.look(2)
    slow.gate.set()
    await stalled
    assert [kind for kind, _ in await tower.told(watch)] == ["watch.opened"]
    assert len((await tower.find(watch)).changes) == 1


async def test_the_account_is_connected_once_all_is_open(tower: Tower) -> None:
    watch = await tower.begin(account())
    assert watch.authentication is Authentication.WANTED
    assert PASSWORD not in await kept(tower.house.db)
    tower.outside.admits = {ADDRESSES[0]}
    await tower.look(3)
    assert tower.house.sessions.asked == []
    tower.outside.admits = set(ADDRESSES)
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.DONE
    grant = await tower.house.grants.get(found.grant_id)
    assert (grant.email, grant.state) == ("ann@example.test", "st")
    assert [host for host, _, _ in tower.house.sessions.asked] == [HOST, "smtp.example.test"]
    assert (await tower.told(watch))[-1][1]["grant_id"] == grant.id
    assert found.changes[-1].grant_id == grant.id
    assert await tower.house.db.fetchval("SELECT request IS NULL FROM watches")
    tower.outside.admits = set()
    await tower.look(2)
    tower.outside.admits = set(ADDRESSES)
    await tower.look(3)
    assert len(tower.house.sessions.asked) == 2


async def test_the_account_is_sealed_anew_by_a_new_key_once_and_connected_all_the_same(tower: Tower) -> None:
    watch = await tower.begin(account())
    assert await tower.watches.reseal() == 0
    tower.house.vault.rotate()
    assert [await tower.watches.reseal() for _ in range(2)] == [1, 0]
    tower.outside.admits = set(ADDRESSES)
    await tower.look(3)
    assert (await tower.find(watch)).authentication is Authentication.DONE


async def test_a_refused_login_is_never_shown_again(tower: Tower) -> None:
    watch = await tower.opened(account(imap_password="another-password"))
    found = await tower.find(watch)
    assert (found.authentication, found.grant_id) == (Authentication.REFUSED, "")
    assert "another-password" not in await kept(tower.house.db)
    assert await tower.house.db.fetchval("SELECT request IS NULL FROM watches")
    await tower.look(3)
    assert len(tower.house.sessions.asked) == 1
    told = await tower.told(watch)
    assert (told[-1][0], told[-1][1]["change"]) == ("watch.changed", "not_authenticated")


async def test_what_was_no_refusal_is_tried_again_and_given_up_after_three_times(tower: Tower) -> None:
    tower.house.sessions.filtered = {("v3-us-static", "smtp.example.test")}
    watch = await tower.opened(account())
    found = await tower.find(watch)
    assert (found.authentication, found.due_at is not None) == (Authentication.WANTED, True)
    await tower.look(4)
    found = await tower.find(watch)
    assert found.authentication is Authentication.FAILED
    assert "smtp.example.test" in found.error
    assert [host for host, _, _ in tower.house.sessions.asked] == [HOST, "smtp.example.test"] * 3


class Dying(Grants):
    """Whose process dies while it connects an account."""

    def __init__(self, grants: Grants, *, made: bool, house: House, dialled: bool = False) -> None:
        self._of = grants
        self._made = made
        self._dialled = dialled
        self._house = house

    async def connect(self, application: Any, request: ConnectRequest) -> Any:
        if self._made:
            await self._of.connect(application, request)
        if self._dialled:
            await self._house.db.execute(
                """INSERT INTO ledger (at, id, application_id, subject, grant_id, traffic, environment, source,
                                       source_address, via, reason, host, port, remote, outcome)
                   SELECT now(), gen_random_uuid(), application_id, subject, '', 'auth', 'v3-us-static', 's', '', '',
                          '', '', 993, '', 'intended' FROM watches"""
            )
        raise asyncio.CancelledError


async def killed_while_connecting(tower: Tower, dying: Dying) -> ServerWatch:
    watch = await tower.begin(account())
    tower.outside.admits = set(ADDRESSES)
    await tower.look()
    await tower.due()
    await asyncio.gather(tower.watcher(grants=dying).look_once(), return_exceptions=True)
    assert (await tower.find(watch)).authentication is Authentication.TRYING
    return watch


async def test_killed_after_the_grant_was_made(tower: Tower) -> None:
    watch = await killed_while_connecting(tower, Dying(tower.house.grants, made=True, house=tower.house))
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.DONE
    assert found.grant_id == await tower.house.db.fetchval("SELECT id FROM grants")
    assert len(tower.house.sessions.asked) == 2


async def test_killed_before_anything_was_dialled(tower: Tower) -> None:
    watch = await killed_while_connecting(tower, Dying(tower.house.grants, made=False, house=tower.house))
    await tower.look(2)
    assert (await tower.find(watch)).authentication is Authentication.DONE
    assert len(tower.house.sessions.asked) == 2


async def test_killed_while_the_server_was_asked(tower: Tower) -> None:
    dying = Dying(tower.house.grants, made=False, house=tower.house, dialled=True)
    watch = await killed_while_connecting(tower, dying)
    await tower.look(2)
    found = await tower.find(watch)
    assert found.authentication is Authentication.FAILED
    assert "interrupted" in found.error
    assert tower.house.sessions.asked == []


async def test_it_expires_and_what_it_holds_is_erased_and_it_is_forgotten(tower: Tower) -> None:
    watch = await tower.begin(account())
    await tower.house.db.execute(
        """UPDATE watches SET standing = jsonb_set(standing, '{began}', to_jsonb(now() - interval '14 days'))"""
    )
    await tower.look()
    found = await tower.find(watch)
    assert (found.standing.state, found.due_at, found.authentication) == (
        WatchState.EXPIRED, None, Authentication.FAILED,
    )  # fmt: skip
    assert found.ended_at is not None
    assert tower.outside.probed == []
    assert await tower.house.db.fetchval("SELECT request IS NULL FROM watches")
    assert [kind for kind, _ in await tower.told(watch)] == ["watch.ended"]
    assert await forget_watches(tower.house.db) == 0
    await tower.house.db.execute("UPDATE watches SET ended_at = now() - interval '31 days'")
    assert await forget_watches(tower.house.db) == 1


async def test_who_may_watch_what(tower: Tower) -> None:
    watch = await tower.begin()
    with pytest.raises(Conflict, match=watch.id):
        await tower.begin()
    mine = tower.house.application
    new = await tower.house.applications.create(name="another", generation=mine.generation, region="us")
    other = new.application
    with pytest.raises(NotFound):
        await tower.watches.find(other, watch.id)
    with pytest.raises(NotFound):
        await tower.watches.end(other, watch.id)
    await tower.watches.end(tower.house.application, watch.id)
    with pytest.raises(InvalidRequest, match="not a server of this diagnosis"):
        await tower.begin(account(imap_host="elsewhere.example.test"))
    open_ = await process_of(tower.house).diagnoses.ask(tower.house.application, Ask(email="ann@example.test"))
    with pytest.raises(InvalidRequest, match="not known yet"):
        await tower.watches.begin(tower.house.application, open_)
    await tower.house.db.execute(
        """INSERT INTO watches (id, application_id, environment, question, standing, state, due_at)
           SELECT n::text, $1, 'v3-us-static', '{}', '{}', 'waiting', now() + interval '1 day'
           FROM generate_series(1, 100) n""",
        tower.house.application.id,
    )
    with pytest.raises(Conflict, match="100 servers already"):
        await tower.begin()


async def test_however_often_it_looks_it_costs_a_server_no_more_than_the_budget(tower: Tower) -> None:
    budget = SharedBudget(tower.house.db, tower.house.vault, SystemClock(), join_s=0)
    tower.outside.budget = budget
    await tower.begin()
    await tower.look(25, tower.watcher())
    assert len(tower.outside.probed) == UNANSWERED.most * len(ADDRESSES)
    assert (await tower.watches.list(tower.house.application, limit=1))[0].standing.state is WatchState.WAITING
    await tower.house.db.execute("DELETE FROM probe_counts")
    await tower.house.db.execute("DELETE FROM probe_facts")
    tower.outside.probed.clear()
    tower.outside.admits = set(ADDRESSES)
    await tower.look(25, tower.watcher())
    assert len(tower.outside.probed) == UNUSED.most * len(ADDRESSES)
    assert (await tower.watches.list(tower.house.application, limit=1))[0].standing.state is WatchState.OPEN
