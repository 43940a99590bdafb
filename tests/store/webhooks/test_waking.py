"""What rests because its endpoint was no good is tried at once when the endpoint is said to be good."""

from datetime import timedelta

import pytest

from mooring.jobs import Lease, LeaseKind, fenced
from mooring.webhooks import NewWebhook, WebhookChanges, WebhookStatus
from mooring.webhooks.repository import endpoints, lanes
from mooring.webhooks.types import Lane, Parked, Tries
from tests.store.webhooks.conftest import House
from tests.store.webhooks.receivers import Receiver, receiving
from tests.waiting import until_async


async def rest(house: House, new: NewWebhook, *, status: WebhookStatus = WebhookStatus.ACTIVE) -> None:
    """Three facts of which the first stepped aside and the second is next; neither is due within the hour, and
    one more refusal would be the last. One of another grant was given up.
    """
    await house.happen("g1", 3)
    await house.happen("g2", 1)
    later = house.clock.now() + timedelta(hours=1)
    generation = await house.db.fetchval("SELECT generation FROM leases WHERE subject = $1", new.webhook.id)
    async with fenced(house.db, Lease(LeaseKind.WEBHOOK, new.webhook.id, generation)) as tx:
        await lanes.advance(tx, new.webhook.id, [Lane("g1", 1, Tries(11, 11, later)), Lane("g2", 1)])
        aside = Parked("g1", 1, Tries(11, 11, later, "answered 500"))
        dead = Parked("g2", 1, Tries(12, 12, None, "answered 500"))
        await lanes.park(tx, new.webhook.id, [aside, dead])
        await endpoints.update(tx, new.webhook.id, {"status": str(status)})


async def all_three(receiver: Receiver) -> None:
    async def taken() -> bool:
        return sorted(receiver.taken_of("g1")) == [1, 2, 3]

    await until_async(taken, what="everything that rested is taken")


async def under_way(house: House, receiver: Receiver) -> None:
    """Return once a deliverer has taken up all that rests, as a fact that does not rest shows by arriving: who has
    just read the old URL when it changes may deliver to it what the change woke.
    """
    await house.happen("g3")

    async def came() -> bool:
        return bool(receiver.taken_of("g3"))

    await until_async(came, what="deliveries are under way")


async def test_a_new_url_wakes_what_rests(house: House) -> None:
    async with receiving() as wrong, receiving() as right:
        new = await house.hook(wrong)
        await rest(house, new)
        async with house.delivering():
            await under_way(house, wrong)
            await house.webhooks.update(house.application, new.webhook.id, WebhookChanges(url=right.url))
            await all_three(right)
            await house.settled(new)
    assert {d.told["webhook_delivery_attempt"] for d in right.taken} == {1}
    assert [d.told["data"]["grant_id"] for d in wrong.came] == ["g3"]
    assert right.taken_of("g2") == []
    assert [d.grant_id for d in await house.webhooks.dead_letters(new.webhook)] == ["g2"]


async def test_one_that_is_failing_and_set_to_active_tries_at_once(house: House) -> None:
    async with receiving() as receiver:
        new = await house.hook(receiver)
        await rest(house, new, status=WebhookStatus.FAILING)
        async with house.delivering():
            changes = WebhookChanges(status=WebhookStatus.ACTIVE)
            await house.webhooks.update(house.application, new.webhook.id, changes)
            await all_three(receiver)


@pytest.mark.parametrize("same_url", [True, False])
async def test_any_other_change_lets_it_rest(house: House, *, same_url: bool) -> None:
    async with receiving() as receiver:
        new = await house.hook(receiver)
        await rest(house, new)
        changes = WebhookChanges(url=receiver.url) if same_url else WebhookChanges(description="another")
        await house.webhooks.update(house.application, new.webhook.id, changes)
    lane = await lanes.lane(house.db, new.webhook.id, "g1")
    assert (lane.tries.attempts, lane.tries.refusals) == (11, 11)
    assert lane.tries.due_at is not None
    [aside] = await lanes.parked(house.db, new.webhook.id, 10)
    assert aside.tries.attempts == 11
