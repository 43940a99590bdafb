"""What is ours is not held against an endpoint, and what is the endpoint's is not forgotten."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from mooring.clock import SystemClock
from mooring.egress import Berths, Dialer, DialerPolicy, SharedResolver
from mooring.events import EventType
from mooring.jobs import Holder, Lease, LeaseKind, fenced
from mooring.webhooks import Feed
from mooring.webhooks.delivery import Delivery
from mooring.webhooks.posting import Poster
from mooring.webhooks.repository import lanes
from mooring.webhooks.schedule import MOST_AT_ONCE, Result
from mooring.webhooks.types import Attempt
from tests.store.webhooks.conftest import LEASE, House
from tests.store.webhooks.receivers import receiving
from tests.waiting import until_async


async def test_a_failure_of_our_own_exit_is_no_try_and_costs_the_endpoint_nothing(house: House) -> None:
    without_pool = Dialer(
        house.db, house.ledger, SystemClock(), DialerPolicy((), allow=()), resolve=SharedResolver(), berths=Berths(1)
    )
    async with receiving() as receiver:
        new = await house.hook(receiver)
        async with replace(house, dialer=without_pool).delivering():
            await house.happen("g1", 3)
            await until_async(
                lambda: house.db.fetchval("SELECT count(*) FROM ledger WHERE outcome = 'not_dialled'"),
                what="the exit has failed",
            )
        assert await house.db.fetchval("SELECT count(*) FROM attempts") == 0
        async with house.delivering():
            await house.settled(new)
        assert receiver.taken_of("g1") == [1, 2, 3]
        assert {d.told["webhook_delivery_attempt"] for d in receiver.taken} == {1}


async def test_a_failing_webhook_stays_so_in_other_hands_until_something_is_taken(house: House) -> None:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=60)
    async with receiving() as receiver:
        new = await house.hook(receiver)
        await house.db.execute("UPDATE webhooks SET status = 'failing', status_updated_at = $1", since)

        async def state() -> tuple[str, datetime]:
            row = await house.db.fetchrow("SELECT status, status_updated_at FROM webhooks")
            assert row is not None
            return row["status"], row["status_updated_at"]

        async def is_held() -> bool:
            return await house.db.fetchval("SELECT holder IS NOT NULL FROM leases WHERE kind = 'webhook'")

        async def is_active() -> bool:
            return (await state())[0] == "active"

        async with house.delivering():
            await until_async(is_held, what="somebody delivers")
            await house.happen("other", kind=EventType.FOLDER_CREATED)
            await house.settled(new)
            assert await state() == ("failing", since)
            await house.happen("g1")
            await until_async(is_active, what="something was taken")


class Counting:
    """Stands where the poster stands: everything is taken, after a round trip to the database."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.posting = self.most = self.taken = 0

    async def post(self, _body: bytes) -> Result:
        self.posting += 1
        self.most = max(self.most, self.posting)
        await self._house.db.fetchval("SELECT 1")
        self.posting -= 1
        self.taken += 1
        return Result(200)


async def test_without_an_order_no_more_come_at_once_than_may(house: House) -> None:
    async with receiving() as receiver:
        new = await house.hook(receiver, ordered=False)
    for number in range(12):
        await house.happen(f"g{number}", 20)
    holder = Holder(house.db, LEASE)
    await holder.join()
    [lease] = await holder.claim(LeaseKind.WEBHOOK, scopes=None, limit=1)
    poster = Counting(house)
    feed = Feed(house.db, house.objects)
    delivery = Delivery(house.db, feed, cast("Poster", poster), house.clock, new.webhook, lease)
    running = asyncio.create_task(delivery.run())
    await house.settled(new)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert poster.taken == 240
    assert 1 < poster.most <= MOST_AT_ONCE


async def test_a_commit_that_was_done_and_not_heard_of_can_be_repeated(house: House) -> None:
    async with receiving() as receiver:
        new = await house.hook(receiver)
        generation = await house.db.fetchval("SELECT generation FROM leases WHERE subject = $1", new.webhook.id)
        lease = Lease(LeaseKind.WEBHOOK, new.webhook.id, generation)
        tried = [Attempt("g1", 1, 1, datetime.now(UTC), 2.5, 200, "")]
        for _ in range(2):
            async with fenced(house.db, lease) as tx:
                await lanes.record(tx, new.webhook.id, tried)
    assert await house.db.fetchval("SELECT count(*) FROM attempts") == 1
