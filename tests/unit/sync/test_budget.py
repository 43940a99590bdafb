"""What is shared: never more than there is, in the order of asking, and nobody waits for ever."""

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.sync.budget import Budget, Share

TOTAL = 10
_AMOUNTS = st.lists(st.integers(0, 2 * TOTAL), min_size=1, max_size=6)


class Lines:
    """Workers that do as a line of batches does: take, hand on what is held, take more.

    What a worker has handed on is given back by a writer of its own, a few turns later. So whoever waits holds only
    what somebody else gives back.
    """

    def __init__(self, total: int) -> None:
        self.budget = Budget(total)
        self.held = 0
        self.most = 0

    async def work(self, amounts: list[int], turns: int) -> None:
        with self.budget.share() as share:
            handed: asyncio.Queue[int | None] = asyncio.Queue(2)
            async with asyncio.TaskGroup() as steps:
                steps.create_task(self._write(share, handed, turns))
                for amount in map(share.most, amounts):
                    await share.take(amount)
                    self._hold(amount)
                    try:
                        await asyncio.sleep(0)
                        await handed.put(amount)
                    except asyncio.CancelledError:
                        self._hold(-amount)
                        raise
                await handed.put(None)

    async def _write(self, share: Share, handed: asyncio.Queue[int | None], turns: int) -> None:
        amount: int | None = None
        try:
            while (amount := await handed.get()) is not None:
                for _ in range(turns):
                    await asyncio.sleep(0)
                self._hold(-amount)
                share.give(amount)
        except asyncio.CancelledError:
            while not handed.empty():
                amount = (amount or 0) + (handed.get_nowait() or 0)
            self._hold(-(amount or 0))
            raise

    def _hold(self, amount: int) -> None:
        self.held += amount
        self.most = max(self.most, self.held)


def run(work: Awaitable[None]) -> None:
    async def guarded() -> None:
        async with asyncio.timeout(20):
            await work

    asyncio.run(guarded())


@given(
    st.lists(st.tuples(_AMOUNTS, st.integers(0, 3)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=6),
)
def test_whatever_is_asked_for_and_given_up_everybody_comes_to_an_end(
    workers: list[tuple[list[int], int]], given_up: list[tuple[int, int]]
) -> None:
    lines = Lines(TOTAL)

    async def work() -> None:
        tasks = [asyncio.create_task(lines.work(amounts, turns)) for amounts, turns in workers]
        for number, turns in given_up:
            for _ in range(turns):
                await asyncio.sleep(0)
                assert 0 <= lines.budget.taken <= TOTAL
            tasks[number % len(tasks)].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        assert lines.budget.taken == 0
        with lines.budget.share() as everything:
            await everything.take(TOTAL)

    run(work())
    assert lines.most <= TOTAL


@given(st.lists(st.integers(1, TOTAL), min_size=2, max_size=12))
def test_who_asks_first_is_served_first(amounts: list[int]) -> None:
    served: list[int] = []

    async def work() -> None:
        budget = Budget(TOTAL)

        async def one(number: int, amount: int) -> None:
            with budget.share() as share:
                await share.take(amount)
                served.append(number)
                await asyncio.sleep(0)

        with budget.share() as everything:
            await everything.take(TOTAL)
            waiting = [asyncio.create_task(one(number, amount)) for number, amount in enumerate(amounts)]
            await asyncio.sleep(0)
            assert served == []
        await asyncio.gather(*waiting)

    run(work())
    assert served == list(range(len(amounts)))


async def test_what_is_larger_than_the_budget_passes_alone() -> None:
    budget = Budget(TOTAL)
    with budget.share() as small, budget.share() as large:
        await small.take(1)
        waiting = asyncio.create_task(large.take(large.most(5 * TOTAL)))
        late = asyncio.create_task(budget.take(1))
        await asyncio.sleep(0)
        assert (waiting.done(), late.done()) == (False, False)
        small.give(1)
        await waiting
        assert (budget.taken, large.held, late.done()) == (TOTAL, TOTAL, False)
    await late
    budget.give(1)
    assert budget.taken == 0


async def test_who_gives_up_waiting_lets_those_behind_go_on() -> None:
    budget = Budget(TOTAL)
    await budget.take(6)
    large, small = asyncio.create_task(budget.take(TOTAL)), asyncio.create_task(budget.take(4))
    await asyncio.sleep(0)
    large.cancel()
    await small
    assert budget.taken == TOTAL


async def test_who_is_given_up_at_the_moment_of_being_served_gives_it_back() -> None:
    budget = Budget(TOTAL)
    await budget.take(TOTAL)
    first = asyncio.create_task(budget.take(TOTAL))
    await asyncio.sleep(0)
    budget.give(TOTAL)
    first.cancel()
    await budget.take(TOTAL)
    assert first.cancelled()


@pytest.mark.parametrize("amount", [-1, TOTAL + 1])
async def test_nobody_takes_more_than_there_is(amount: int) -> None:
    with pytest.raises(ValueError, match="10"):
        await Budget(TOTAL).take(amount)
