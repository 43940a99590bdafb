"""Whatever two workers do with a lease, in whatever order: of all that they ever held, at most one can write."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.errors import LostOwnership
from mooring.jobs import Holder, Lease, LeaseKind, fenced, offer, take, withdraw
from mooring.store import Database

LEASE = timedelta(minutes=5)
DOINGS = ("claim", "die", "revive", "leave", "release", "take")
STEPS = (*(f"{who} {what}" for who in "01" for what in DOINGS), "offer", "withdraw")


async def walk(url: str, steps: list[str]) -> None:
    db = await Database.open(url)
    try:
        await db.execute("TRUNCATE leases, holders")
        workers = [Holder(db, LEASE), Holder(db, LEASE)]
        held: dict[Lease, Holder] = {}
        for step in ["offer", *steps]:
            await do(db, workers, held, step)
            writing = [lease for lease in held if await can_write(db, lease)]
            assert len(writing) <= 1, (step, writing)
            row = await db.fetchrow("SELECT holder, generation FROM leases")
            for lease in writing:
                assert row is not None
                assert lease.generation == row["generation"]
                assert row["holder"] in {held[lease].id, None}
    finally:
        await db.close()


async def do(db: Database, workers: list[Holder], held: dict[Lease, Holder], step: str) -> None:
    """One step; ``held`` has everything that was ever won."""
    who, _, what = step.rpartition(" ")
    worker = workers[int(who)] if who else workers[0]
    match what:
        case "claim":
            await worker.join()
            held |= dict.fromkeys(await worker.claim(LeaseKind.MAILBOX, scopes=None, limit=1), worker)
        case "die":
            await db.execute("UPDATE holders SET expires_at = now() - interval '1 s' WHERE id = $1", worker.id)
        case "revive":
            await worker.join()
        case "leave":
            await worker.leave()
        case "release":
            for lease in await worker.held(LeaseKind.MAILBOX):
                await worker.release(lease)
        case "take":
            with suppress(LostOwnership):
                async with db.transaction() as tx:
                    await take(tx, LeaseKind.MAILBOX, "g", scope="elsewhere", holder=worker.id)
                held |= dict.fromkeys(await worker.held(LeaseKind.MAILBOX), worker)
        case "offer":
            async with db.transaction() as tx:
                await offer(tx, LeaseKind.MAILBOX, "g", "here")
        case _:
            async with db.transaction() as tx:
                await withdraw(tx, LeaseKind.MAILBOX, "g")


async def can_write(db: Database, lease: Lease) -> bool:
    try:
        async with fenced(db, lease):
            return True
    except LostOwnership:
        return False


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), min_size=4, max_size=25))
def test_any_order(database_url: str, steps: list[str]) -> None:
    asyncio.run(walk(database_url, steps))
