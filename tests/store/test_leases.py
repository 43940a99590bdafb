"""Ownership: one holder at a time, taken over when it dies, and no write by anybody who lost it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from mooring.errors import LostOwnership
from mooring.jobs import Held, Holder, Keeper, Lease, LeaseKind, fenced, nudge, offer, withdraw
from mooring.store import Database
from tests.waiting import until_async

MAILBOX = LeaseKind.MAILBOX

#: Long enough that nobody dies of a busy machine, and of no account where nobody is waited for.
LONG = timedelta(minutes=5)
SHORT = timedelta(seconds=1)


async def offered(database: Database, *subjects: str, scope: str = "v3-us-static") -> None:
    async with database.transaction() as tx:
        for subject in subjects:
            await offer(tx, MAILBOX, subject, scope)


async def withdrawn(database: Database, subject: str) -> None:
    async with database.transaction() as tx:
        await withdraw(tx, MAILBOX, subject)


async def holder(database: Database, lease: timedelta = LONG) -> Holder:
    joined = Holder(database, lease)
    await joined.join()
    return joined


async def claimed(by: Holder, *, scopes: list[str] | None = None, limit: int = 100) -> set[str]:
    return {lease.subject for lease in await by.claim(MAILBOX, scopes=scopes, limit=limit)}


async def only(by: Holder) -> Lease:
    (lease,) = await by.claim(MAILBOX, scopes=None, limit=10)
    return lease


async def may_write(database: Database, lease: Lease) -> bool:
    try:
        async with fenced(database, lease):
            return True
    except LostOwnership:
        return False


async def test_two_holders_never_claim_the_same(database: Database) -> None:
    subjects = [f"grant-{n}" for n in range(200)]
    await offered(database, *subjects)
    one, other = await holder(database), await holder(database)
    turns = await asyncio.gather(*(claimed(by, limit=7) for _ in range(20) for by in (one, other)))
    assert sum(len(turn) for turn in turns) == 200
    assert set().union(*turns) == set(subjects)
    mine, theirs = set(await one.held(MAILBOX)), set(await other.held(MAILBOX))
    assert len(mine) + len(theirs) == 200
    assert not mine & theirs


async def test_a_claim_takes_no_more_than_its_limit(database: Database) -> None:
    await offered(database, *(f"grant-{n}" for n in range(50)))
    by = await holder(database)
    assert [len(await claimed(by, limit=20)) for _ in range(4)] == [20, 20, 10, 0]


async def test_scopes_are_who_may_claim(database: Database) -> None:
    await offered(database, "static", scope="v3-us-static")
    await offered(database, "dynamic", scope="v3-us-dynamic")
    by = await holder(database)
    assert await claimed(by, scopes=["v3-eu-static"]) == set()
    assert await claimed(by, scopes=[]) == set()
    assert await claimed(by, scopes=["v3-us-dynamic", "v3-eu-static"]) == {"dynamic"}
    assert await claimed(by, scopes=None) == {"static"}


async def test_what_a_living_holder_has_is_left_alone(database: Database) -> None:
    await offered(database, "grant")
    lease = await only(await holder(database))
    assert await claimed(await holder(database)) == set()
    assert await may_write(database, lease)


async def test_a_dead_holders_lease_is_taken_over_within_two_lease_times_and_its_writes_are_refused(
    database: Database,
) -> None:
    await offered(database, "grant")
    # It joins, and from then on nobody hears of it.
    lost = await only(await holder(database, SHORT))
    heir = await holder(database)
    began = asyncio.get_running_loop().time()
    taken = await until_async(lambda: heir.claim(MAILBOX, scopes=None, limit=1), what="the lease is taken over")
    assert asyncio.get_running_loop().time() - began < 2 * SHORT.total_seconds()
    assert [lease.subject for lease in taken] == ["grant"]
    assert taken[0].generation > lost.generation
    assert not await may_write(database, lost)
    assert await may_write(database, taken[0])


async def test_a_holder_that_runs_stays_alive(database: Database) -> None:
    await offered(database, "grant")
    alive = Holder(database, SHORT)
    running = asyncio.create_task(alive.run())

    async def expiry() -> object:
        return await database.fetchval("SELECT expires_at FROM holders WHERE id = $1", alive.id)

    first = await until_async(expiry, what="the holder has joined")
    await only(alive)

    async def past_the_first_expiry() -> bool:
        return await database.fetchval("SELECT now() > $1", first)

    await until_async(past_the_first_expiry, what="its first lease time is over")
    assert await claimed(await holder(database)) == set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_leaving_gives_everything_back_at_once(database: Database) -> None:
    await offered(database, "a", "b")
    leaver, heir = await holder(database), await holder(database)
    (one, other) = await leaver.claim(MAILBOX, scopes=None, limit=10)
    await leaver.leave()
    assert await claimed(heir) == {"a", "b"}
    assert not await may_write(database, one)
    assert not await may_write(database, other)
    assert await leaver.held(MAILBOX) == {}


async def test_one_lease_is_given_back_and_not_one_that_has_moved_on(database: Database) -> None:
    await offered(database, "grant")
    one, other = await holder(database), await holder(database)
    lease = await only(one)
    await one.release(lease)
    taken = await only(other)
    await one.release(lease)
    assert await other.held(MAILBOX) == {taken: 0}
    assert await may_write(database, taken)


async def test_a_new_offer_takes_the_lease_from_its_holder(database: Database) -> None:
    await offered(database, "grant", scope="v3-us-dynamic")
    by = await holder(database)
    before = await only(by)
    await offered(database, "grant", scope="v3-us-static")
    assert await by.held(MAILBOX) == {}
    assert not await may_write(database, before)
    assert await claimed(by, scopes=["v3-us-dynamic"]) == set()
    after = await only(by)
    assert after.generation > before.generation


async def test_who_held_it_before_a_withdrawal_cannot_write_after_it(database: Database) -> None:
    by = await holder(database)
    past: list[Lease] = []
    for _ in range(3):
        await offered(database, "grant")
        past.append(await only(by))
        await withdrawn(database, "grant")
        assert not await may_write(database, past[-1])
    await offered(database, "grant")
    now = await only(await holder(database))
    assert [await may_write(database, lease) for lease in (*past, now)] == [False, False, False, True]


async def test_nothing_of_a_refused_write_is_written(database: Database) -> None:
    await database.execute("CREATE TABLE written (n int)")
    await offered(database, "grant")
    by = await holder(database)
    stale = await only(by)
    await offered(database, "grant")
    with pytest.raises(LostOwnership):
        async with fenced(database, stale) as tx:
            await tx.execute("INSERT INTO written VALUES (1)")
    async with fenced(database, await only(by)) as tx:
        await tx.execute("INSERT INTO written VALUES (2)")
    assert [row["n"] for row in await database.fetch("SELECT n FROM written")] == [2]


async def test_a_lease_does_not_change_hands_under_a_write(database: Database) -> None:
    await offered(database, "grant")
    lease = await only(await holder(database, timedelta(milliseconds=1)))
    heir = await holder(database)
    async with fenced(database, lease):
        # Its holder is dead by now, and still nobody can take it.
        assert await claimed(heir) == set()
        new_offer = asyncio.create_task(offered(database, "grant"))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await until_async(lambda: database.fetchval(waiting), what="the offer waits for the write")
        assert not new_offer.done()
    await new_offer
    assert await claimed(heir) == {"grant"}


async def test_writes_of_one_holder_do_not_wait_for_each_other(database: Database) -> None:
    await offered(database, "grant")
    lease = await only(await holder(database))
    async with fenced(database, lease), fenced(database, lease):
        assert await may_write(database, lease)


async def test_a_holder_learns_that_it_was_nudged_and_keeps_its_lease(database: Database) -> None:
    await offered(database, "grant", "other")
    by = await holder(database)
    leases = {lease.subject: lease for lease in await by.claim(MAILBOX, scopes=None, limit=10)}
    await nudge(database, MAILBOX, "grant")
    await nudge(database, MAILBOX, "grant")
    await nudge(database, MAILBOX, "nobody's")
    assert await by.held(MAILBOX) == {leases["grant"]: 2, leases["other"]: 0}
    assert await may_write(database, leases["grant"])


async def test_a_keeper_ends_in_peace_without_its_database(database_url: str, database: Database) -> None:
    db = await Database.open(database_url)
    holder = Holder(db, timedelta(seconds=1))
    keeper = asyncio.create_task(Keeper(holder, LeaseKind.WEBHOOK, scopes=None, take_up=nothing).run())

    async def has_joined() -> bool:
        return await database.fetchval("SELECT EXISTS (SELECT FROM holders WHERE id = $1)", holder.id)

    await until_async(has_joined)
    await db.close()
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper


class Fainting(Holder):
    """Its heart stops by a defect of ours, when it is told to."""

    def __init__(self, db: Database, lease: timedelta) -> None:
        super().__init__(db, lease)
        self.stops = asyncio.Event()

    async def run(self) -> None:
        await self.stops.wait()
        raise RuntimeError("a defect")


class Endless:
    """Work that is under way until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.is_over = False

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_over = True

    def look(self) -> None:
        pass


async def test_a_keeper_ends_with_its_heartbeat_and_gives_everything_back(database: Database) -> None:
    await offered(database, "grant")
    fainting, work = Fainting(database, LONG), Endless()

    async def take_up(leases: Sequence[Lease]) -> Mapping[Lease, Held]:
        return dict.fromkeys(leases, work)

    keeper = asyncio.create_task(Keeper(fainting, MAILBOX, scopes=None, take_up=take_up).run())
    async with asyncio.timeout(10):
        await work.begun.wait()
        fainting.stops.set()
        with pytest.raises(ExceptionGroup) as caught:
            await keeper
    assert caught.group_contains(RuntimeError, match="a defect")
    assert work.is_over
    assert await claimed(await holder(database)) == {"grant"}


async def nothing(_leases: Sequence[Lease]) -> Mapping[Lease, Held]:
    return {}
