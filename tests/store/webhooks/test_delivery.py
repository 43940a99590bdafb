"""Facts reach whoever wants them: in order, signed, from the webhook pool, until they are taken."""

import asyncio
import gzip
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from mooring.events import EventType, Fact, append
from mooring.jobs import Lease, LeaseKind, fenced
from mooring.webhooks import WebhookChanges, WebhookStatus
from mooring.webhooks.repository import lanes
from mooring.webhooks.schedule import MAX_ANSWERED
from mooring.webhooks.types import Lane, Tries
from tests.store.webhooks.conftest import SOURCE, House
from tests.store.webhooks.receivers import hang, receiving, take
from tests.waiting import until_async


class Moody:
    """Refuses the first so many deliveries of each message."""

    def __init__(self, refusals: int, status: int = 500) -> None:
        self._refusals = refusals
        self._status = status
        self._seen: dict[str, int] = {}

    def __call__(self, told: dict[str, Any]) -> int:
        identity = told["data"]["object"]["id"]
        self._seen[identity] = self._seen.get(identity, 0) + 1
        return 200 if self._seen[identity] > self._refusals else self._status


def refusing_the_first(told: dict[str, Any]) -> int:
    return 500 if told["data"]["object"]["id"] == "m-1" else 200


async def test_facts_come_in_order_signed_and_from_the_pool(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver)
        for grant_id in ("g1", "g2"):
            await house.happen(grant_id, 30)
        await house.settled(new)
    for grant_id in ("g1", "g2"):
        assert receiver.taken_of(grant_id) == list(range(1, 31))
    assert all(d.is_signed_by(new.secret) and d.source == SOURCE for d in receiver.taken)
    told = receiver.taken[0].told
    assert (told["type"], told["webhook_delivery_attempt"]) == ("message.created", 1)
    assert told["data"]["application_id"] == house.application.id
    assert len({d.told["id"] for d in receiver.taken}) == 60


async def test_what_was_there_before_the_webhook_and_what_it_did_not_ask_for_is_not_delivered(house: House) -> None:
    await house.happen("g1", 5)
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver, trigger_types=("message.deleted",))
        await house.happen("g1", 3)
        await house.happen("g1", 2, kind=EventType.MESSAGE_DELETED)
        await house.settled(new)
    assert receiver.taken_of("g1") == [9, 10]


async def test_what_was_rolled_back_is_not_delivered(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver)
        with pytest.raises(ZeroDivisionError):
            await regretted(house)
        await house.happen("g1")
        await house.settled(new)
    assert receiver.taken_of("g1") == [1]


async def regretted(house: House) -> None:
    """A transaction that writes a fact, and fails."""
    async with house.db.transaction() as tx:
        facts = [Fact(EventType.MESSAGE_CREATED, {"id": "m-0"})]
        await append(tx, application_id=house.application.id, grant_id="g1", facts=facts)
        await tx.fetchval("SELECT 1")
        _ = 1 / 0


async def test_a_fact_that_is_refused_is_tried_again_before_the_next_one(house: House) -> None:
    async with receiving(Moody(1)) as receiver, house.delivering():
        new = await house.hook(receiver)
        await house.happen("g1", 2)
        await house.settled(new)
    assert [(d.sequence, d.told["webhook_delivery_attempt"]) for d in receiver.came] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    attempts = await house.webhooks.attempts(new.webhook)
    assert [(a.sequence, a.attempt, a.status, a.reason) for a in reversed(attempts)] == [
        (1, 1, 500, "answered 500"), (1, 2, 200, ""), (2, 1, 500, "answered 500"), (2, 2, 200, ""),
    ]  # fmt: skip


async def test_without_an_order_a_fact_that_is_refused_steps_aside(house: House) -> None:
    async with receiving(refusing_the_first) as receiver, house.delivering():
        new = await house.hook(receiver, ordered=False)
        await house.happen("g1", 5)
        await house.settled(new)
        assert sorted(receiver.taken_of("g1")) == [2, 3, 4, 5]
        receiver.behaviour = take

        async def all_taken() -> bool:
            return sorted(receiver.taken_of("g1")) == [1, 2, 3, 4, 5]

        await until_async(all_taken, what="the one that stepped aside is taken")


async def test_a_hung_endpoint_holds_up_nobody(house: House) -> None:
    async with AsyncExitStack() as stack:
        hung = await stack.enter_async_context(receiving())
        well = await stack.enter_async_context(receiving())
        await stack.enter_async_context(house.delivering())
        await house.hook(hung)
        new = await house.hook(well)
        hung.behaviour = hang
        for number in range(40):
            await house.happen(f"g{number}", 5)
        await house.settled(new)
    assert len(well.taken) == 200
    assert len(hung.came) <= 10


async def test_another_deliverer_goes_on_where_one_was_killed(house: House) -> None:
    async with receiving() as receiver:
        new = await house.hook(receiver)
        killed = asyncio.create_task(house.deliverer().run())
        for _ in range(20):
            await house.happen("g1", 10)

        async def some_came() -> bool:
            return len(receiver.taken) >= 50

        await until_async(some_came)
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        async with house.delivering():
            await house.settled(new)
    firsts = list(dict.fromkeys(receiver.taken_of("g1")))
    assert firsts == list(range(1, 201))


async def test_a_fact_that_is_refused_again_and_again_is_a_dead_letter_until_it_is_sent_again(house: House) -> None:
    async with receiving(refusing_the_first) as receiver:
        new = await house.hook(receiver)
        await house.happen("g1", 2)
        await tried_in_vain(house, new.webhook.id, Lane("g1", 0, Tries(MAX_ANSWERED - 1, MAX_ANSWERED - 1)))
        async with house.delivering():
            await house.settled(new)
            assert receiver.taken_of("g1") == [2]
            [dead] = await house.webhooks.dead_letters(new.webhook)
            assert (dead.sequence, dead.type, dead.attempts) == (1, "message.created", MAX_ANSWERED)
            assert dead.reason == "answered 500"
            receiver.behaviour = take
            assert await house.webhooks.resend(new.webhook) == 1

            async def taken() -> bool:
                return receiver.taken_of("g1") == [2, 1]

            await until_async(taken, what="the dead letter is taken")
    assert await house.webhooks.dead_letters(new.webhook) == []


async def test_an_endpoint_that_is_away_costs_no_fact(house: House) -> None:
    async with receiving(lambda told: 503) as receiver:
        new = await house.hook(receiver)
        await house.happen("g1", 2)
        await tried_in_vain(house, new.webhook.id, Lane("g1", 0, Tries(MAX_ANSWERED * 5, 0)))
        async with house.delivering():

            async def tried() -> bool:
                return bool(await house.webhooks.attempts(new.webhook))

            await until_async(tried)
    assert await house.webhooks.dead_letters(new.webhook) == []
    assert (await lanes.lane(house.db, new.webhook.id, "g1")).position == 0


async def tried_in_vain(house: House, webhook_id: str, lane: Lane) -> None:
    """Have the lane be where a deliverer left it after many tries."""
    generation = await house.db.fetchval("SELECT generation FROM leases WHERE subject = $1", webhook_id)
    async with fenced(house.db, Lease(LeaseKind.WEBHOOK, webhook_id, generation)) as tx:
        await lanes.advance(tx, webhook_id, [lane])


async def test_a_paused_webhook_hears_nothing_and_begins_anew(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver)
        paused = await house.webhooks.update(
            house.application, new.webhook.id, WebhookChanges(status=WebhookStatus.PAUSED)
        )
        assert paused.status is WebhookStatus.PAUSED
        await house.happen("g1", 3)
        await house.webhooks.update(house.application, new.webhook.id, WebhookChanges(status=WebhookStatus.ACTIVE))
        await house.happen("g1", 2)
        await house.settled(new)
    assert receiver.taken_of("g1") == [4, 5]


async def test_a_new_secret_signs_from_the_moment_the_webhook_is_taken_up_with_it(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver)
        await house.happen("g1")
        await house.settled(new)
        rotated = await house.webhooks.rotate_secret(house.application, new.webhook.id)
        await house.happen("g1")
        await house.settled(new)
    # Whoever held it with the old one may have delivered once more, and could not write that down.
    first, last = receiver.taken[0], receiver.taken[-1]
    assert first.is_signed_by(new.secret)
    assert last.is_signed_by(rotated.secret)
    assert (first.sequence, last.sequence) == (1, 2)
    assert new.secret != rotated.secret


async def test_compressed_deliveries_are_signed_as_they_are_sent(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        new = await house.hook(receiver, compressed=True)
        await house.happen("g1")
        await house.settled(new)
    [delivered] = receiver.taken
    assert delivered.is_signed_by(new.secret)
    assert json.loads(gzip.decompress(delivered.raw))["type"] == "message.created"


async def test_a_deleted_webhook_hears_nothing_more(house: House) -> None:
    async with receiving() as receiver, receiving() as other, house.delivering():
        new = await house.hook(receiver)
        stays = await house.hook(other)
        await house.webhooks.destroy(house.application, new.webhook.id)
        await house.happen("g1")
        await house.settled(stays)
    assert receiver.came == []
