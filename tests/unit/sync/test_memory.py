"""Many mailboxes at once hold no more bytes than their budget, whatever they are made of; and all come to their end."""

import asyncio
from collections.abc import Sequence

import pytest

from mooring.net.stream import CHUNK
from mooring.sync.budget import Budget, Means
from mooring.sync.folder import FIRST_BATCH
from mooring.sync.line import BATCH_BYTES, NEWS_BATCH_BYTES
from tests.mailhost import Account
from tests.unit.sync.copies import Copy, empty_copy

MAILBOXES = 12
LARGE = 300_000
"""Bytes of a message, of which 26 make a batch."""


def raw(number: int, size: int = LARGE) -> bytes:
    return b"Subject: %d\r\n\r\n" % number + b"x" * size


@pytest.fixture
def gate() -> asyncio.Event:
    """While it is not set, nothing is written."""
    return asyncio.Event()


def mailboxes(count: int, means: Means, gate: asyncio.Event, *, messages: int = 0) -> list[tuple[Copy, Account]]:
    """So many, with so many large messages each."""
    found: list[tuple[Copy, Account]] = []
    for _ in range(count):
        account, copy = Account(), empty_copy()
        for number in range(messages):
            account.inbox.deliver(raw(number))
        copy.means, copy.gate = means, gate
        found.append((copy, account))
    return found


async def standstill(boxes: Sequence[tuple[Copy, Account]]) -> int:
    """How many bytes were read of all, once nobody reads any more."""
    before, turns = -1, 0
    while turns < 200:
        given = sum(account.given for _, account in boxes)
        before, turns = given, turns + 1 if given == before else 0
        await asyncio.sleep(0)
    return before


@pytest.mark.parametrize("batches", [1, 2, 5])
async def test_first_copies_hold_what_their_budget_has(gate: asyncio.Event, batches: int) -> None:
    means = Means(history=Budget(batches * BATCH_BYTES))
    boxes = mailboxes(MAILBOXES, means, gate, messages=FIRST_BATCH + 30)
    tasks = [asyncio.create_task(copy.follow(account)) for copy, account in boxes]
    held = await standstill(boxes)
    assert (batches - 1) * BATCH_BYTES < held <= batches * BATCH_BYTES + MAILBOXES * CHUNK
    gate.set()
    await asyncio.gather(*tasks)
    for copy, account in boxes:
        copy.assert_same_as(account)
    assert (means.history.taken, means.fills.taken) == (0, 0)


async def test_news_hold_what_theirs_has_and_do_not_wait_for_history(gate: asyncio.Event) -> None:
    means = Means(history=Budget(BATCH_BYTES), news=Budget(2 * NEWS_BATCH_BYTES))
    history = mailboxes(2, means, gate, messages=FIRST_BATCH)
    following = mailboxes(MAILBOXES, means, opened := asyncio.Event())
    opened.set()
    for copy, account in following:
        await copy.follow(account)
        copy.gate, account.given = gate, 0
        for number in range(8):
            account.inbox.deliver(raw(number))
    filling = [asyncio.create_task(copy.follow(account)) for copy, account in history]
    await standstill(history)
    tasks = [asyncio.create_task(copy.follow(account)) for copy, account in following]
    held = await standstill(following)
    assert NEWS_BATCH_BYTES < held <= 2 * NEWS_BATCH_BYTES + MAILBOXES * CHUNK
    gate.set()
    await asyncio.gather(*tasks, *filling)
    for copy, account in following:
        copy.assert_same_as(account)
        assert len(copy.news) == 8
    assert means.news.taken == 0


async def test_a_message_that_is_larger_than_the_budget_passes_alone(gate: asyncio.Event) -> None:
    means = Means(history=Budget(BATCH_BYTES))
    boxes = mailboxes(3, means, gate, messages=3)
    for _, account in boxes:
        account.inbox.deliver(raw(7, 3 * BATCH_BYTES))
        account.inbox.deliver(raw(8))
    tasks = [asyncio.create_task(copy.follow(account)) for copy, account in boxes]
    assert await standstill(boxes) <= BATCH_BYTES + 3 * CHUNK
    gate.set()
    await asyncio.gather(*tasks)
    for copy, account in boxes:
        copy.assert_same_as(account)
    assert means.history.taken == 0


async def test_who_is_cancelled_gives_everything_back(gate: asyncio.Event) -> None:
    means = Means(history=Budget(2 * BATCH_BYTES), fills=Budget(1))
    boxes = mailboxes(4, means, gate, messages=FIRST_BATCH + 30)
    tasks = [asyncio.create_task(copy.follow(account)) for copy, account in boxes]
    await standstill(boxes)
    for task in tasks[:2]:
        task.cancel()
    await asyncio.gather(*tasks[:2], return_exceptions=True)
    gate.set()
    await asyncio.gather(*tasks[2:])
    assert (means.history.taken, means.fills.taken) == (0, 0)
    for copy, account in boxes[2:]:
        copy.assert_same_as(account)


async def test_everybody_has_a_first_page_before_anybody_has_the_rest(gate: asyncio.Event) -> None:
    gate.set()
    means = Means(fills=Budget(1))
    boxes = mailboxes(4, means, gate)
    for _, account in boxes:
        for number in range(2 * FIRST_BATCH):
            account.inbox.deliver(raw(number, 10))
    await means.fills.take(1)
    tasks = [asyncio.create_task(copy.follow(account)) for copy, account in boxes]
    await standstill(boxes)
    assert [len(copy.held) for copy, _ in boxes] == [FIRST_BATCH] * 4
    means.fills.give(1)
    await asyncio.gather(*tasks)
    for copy, account in boxes:
        copy.assert_same_as(account)
