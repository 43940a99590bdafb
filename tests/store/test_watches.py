"""Watches over a real database: claimed, written down and told once, whoever dies."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import asyncpg
import pytest

from mooring.clock import SystemClock
from mooring.diagnosis import (
    Ask,
    Authentication,
    ChangeKind,
    Outcome,
    Vantage,
    WatchState,
    forget_watches,
)
from mooring.diagnosis.gentle.budget import UNANSWERED, UNUSED
from mooring.diagnosis.gentle.spending import SharedBudget
from mooring.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
)
from mooring.store import Database
from tests.store.diagnosis_house import process_of
from tests.store.watch_house import (
    ADDRESSES,
    EXITS,
    HOST,
    NODE,
    OTHER_NODE,
    Outside,
    Tower,
    account,
    tower,
)
from tests.waiting import until_async

__all__ = ["tower"]


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


@pytest.mark.parametrize("shut", [Outcome.SILENT, Outcome.RESET, Outcome.CLOSED, Outcome.MUTE])
async def test_what_a_box_of_our_own_may_have_done_closes_nothing(tower: Tower, shut: Outcome) -> None:
    watch = await tower.opened()
    tower.outside.admits, tower.outside.shut, tower.outside.works = set(), shut, False
    began = SystemClock().now()
    await tower.look(3)
    assert (await tower.find(watch)).standing.state is WatchState.OPEN
    assert {address for address, _ in tower.outside.controls} == set(ADDRESSES)
    # What the ledger knows from before the failure would be no proof.
    assert all(since is not None and since >= began for _, since in tower.outside.controls)


async def test_words_of_the_server_prove_our_exit_without_asking_anybody_else(tower: Tower) -> None:
    watch = await tower.opened()
    tower.outside.admits, tower.outside.shut, tower.outside.said = set(), Outcome.POLICY, "550 not from there"
    tower.outside.works = False
    await tower.look(2)
    assert [c.kind for c in (await tower.find(watch)).changes][1:] == [ChangeKind.CLOSED]
    assert tower.outside.controls == []


async def test_what_was_let_in_a_while_ago_proves_nothing(tower: Tower) -> None:
    tower.outside.nodes = (NODE, OTHER_NODE)
    watch = await tower.opened()
    tower.outside.dead, tower.outside.recalled, tower.outside.works = {NODE}, {OTHER_NODE}, False
    await tower.look(3)
    assert (await tower.find(watch)).standing.state is WatchState.OPEN
    tower.outside.recalled = set()
    await tower.look(2)
    assert (await tower.find(watch)).standing.state is WatchState.WAITING


async def test_the_account_waits_for_every_address_of_the_server(tower: Tower) -> None:
    tower.outside.nodes, tower.outside.dead = (NODE, OTHER_NODE), {OTHER_NODE}
    tower.outside.admits = set(ADDRESSES)
    watch = await tower.begin(account())
    await tower.look(4)
    found = await tower.find(watch)
    assert (found.standing.state, found.changes, tower.house.sessions.asked) == (WatchState.WAITING, (), [])
    assert {p.address for p in tower.outside.probed} == {NODE, OTHER_NODE}
    tower.outside.dead = set()
    await tower.look(2)
    assert (await tower.find(watch)).authentication is Authentication.DONE


async def test_an_exit_that_cannot_be_used_is_said(tower: Tower) -> None:
    tower.outside.broken, tower.outside.admits = {ADDRESSES[1]}, set(ADDRESSES)
    watch = await tower.begin()
    await tower.look(3)
    found = await tower.find(watch)
    assert found.standing.problem == f"{EXITS[1].source}: It is not on this host."
    assert found.standing.addresses == {ADDRESSES[0]: True, ADDRESSES[1]: False}
    tower.outside.broken = set()
    await tower.look(2)
    found = await tower.find(watch)
    assert (found.standing.problem, found.standing.state) == ("", WatchState.OPEN)


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


async def test_a_watch_that_cannot_be_read_keeps_no_other_waiting(tower: Tower) -> None:
    await tower.house.db.execute(
        """INSERT INTO watches (id, application_id, environment, question, standing, state, due_at)
           VALUES ('unreadable', $1, 'v3-us-static', '{}', '{}', 'waiting', now() - interval '1 day')""",
        tower.house.application.id,
    )
    watch = await tower.opened()
    assert (await tower.find(watch)).standing.state is WatchState.OPEN
    assert await tower.house.db.fetchval("SELECT due_at > now() FROM watches WHERE id = 'unreadable'")


class Cancelling:
    """A database of which the first query is cancelled."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._is_first = True

    async def fetch(self, query: str, *args: object) -> list[Any]:
        if self._is_first:
            self._is_first = False
            raise asyncpg.QueryCanceledError("canceling statement due to user request")
        return await self._db.fetch(query, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


async def test_a_query_that_is_cancelled_ends_no_process(tower: Tower) -> None:
    watch = await tower.begin()
    tower.outside.admits = set(ADDRESSES)
    running = asyncio.create_task(tower.watcher(db=cast("Database", Cancelling(tower.house.db))).run())

    async def was_looked_at() -> bool:
        return bool((await tower.find(watch)).standing.doors)

    await until_async(was_looked_at, what="it is looked at after all")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


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
