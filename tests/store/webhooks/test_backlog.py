"""What the operator is shown of all webhooks: what waits, since when, and whether anything moves."""

from datetime import UTC, datetime, timedelta

from mooring.jobs import Lease, LeaseKind, fenced
from mooring.webhooks import Backlog, NewWebhook, WebhookChanges, WebhookStatus
from mooring.webhooks.repository import lanes
from mooring.webhooks.types import Attempt, Lane, Parked, Tries
from tests.store.webhooks.conftest import House
from tests.store.webhooks.receivers import receiving


async def left(house: House, new: NewWebhook, lane: Lane, parked: list[Parked], attempts: list[Attempt]) -> None:
    """Have the webhook be as a deliverer left it."""
    generation = await house.db.fetchval("SELECT generation FROM leases WHERE subject = $1", new.webhook.id)
    async with fenced(house.db, Lease(LeaseKind.WEBHOOK, new.webhook.id, generation)) as tx:
        await lanes.advance(tx, new.webhook.id, [lane])
        await lanes.park(tx, new.webhook.id, parked)
        await lanes.record(tx, new.webhook.id, attempts)


BEGAN = datetime(2026, 1, 31, tzinfo=UTC)
"""Fact N happened N hours later."""


async def test_nothing_waits(house: House) -> None:
    assert await house.webhooks.backlog() == Backlog(0, None, 0, 0, 0)
    async with receiving() as receiver:
        await house.hook(receiver)
    assert await house.webhooks.backlog() == Backlog(0, None, 0, 0, 0)


async def test_what_stepped_aside_waits_and_dead_letters_do_not(house: House) -> None:
    async def waits() -> tuple[int, float, int]:
        """How many facts, the number of the oldest, and the dead letters."""
        backlog = await house.webhooks.backlog()
        assert backlog.oldest_at is not None
        return backlog.depth, (backlog.oldest_at - BEGAN) / timedelta(hours=1), backlog.dead

    async with receiving() as receiver:
        new = await house.hook(receiver, ordered=False)
        await house.happen("g1", 6)
        await house.db.execute("UPDATE outbox SET at = $1::timestamptz + make_interval(hours => sequence::int)", BEGAN)
        assert await waits() == (6, 1, 0)
        due = Tries(1, 1, house.clock.now(), "answered 500")
        dead = Parked("g1", 1, Tries(12, 12, None, "answered 500"))
        await left(house, new, Lane("g1", 4), [dead, Parked("g1", 2, due), Parked("g1", 3, due)], [])
        assert await waits() == (4, 2, 1)
        await left(house, new, Lane("g1", 6), [], [])
        assert await waits() == (2, 2, 1)
        paused = WebhookChanges(status=WebhookStatus.PAUSED)
        await house.webhooks.update(house.application, new.webhook.id, paused)
    assert await house.webhooks.backlog() == Backlog(0, None, 1, 0, 0)


async def test_tries_of_the_last_minutes_are_counted_by_how_they_ended(house: House) -> None:
    now = house.clock.now()
    async with receiving() as receiver:
        new, other = await house.hook(receiver), await house.hook(receiver)
    taken = [Attempt("g1", number, 1, now, 1.0, 200, "") for number in range(1, 4)]
    refused = Attempt("g1", 4, 1, now - timedelta(minutes=4), 1.0, 500, "answered 500")
    long_ago = Attempt("g1", 5, 1, now - timedelta(minutes=6), 1.0, 200, "")
    await left(house, new, Lane("g1", 0), [], [*taken, refused, long_ago])
    await left(house, other, Lane("g1", 0), [], taken[:1])
    backlog = await house.webhooks.backlog()
    assert (backlog.taken, backlog.not_taken) == (4, 1)
