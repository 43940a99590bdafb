"""Berths: never more than the limit, each in turn, nobody for ever, and what is given up is given to the next."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.config import EnvironmentName, Generation, Kind
from mooring.egress import Berth, Berths, Caller, Dial, Traffic
from mooring.egress.berths import IN_A_ROW
from mooring.errors import SourceBusy

SOURCE, SERVER = "static-1", "mail.test"
T = TypeVar("T")

for_ever = 3600.0
"""Seconds of patience of somebody whom a test never lets wait that long."""


async def asking(berths: Berths, *, hurries: bool = False) -> asyncio.Task[Berth]:
    """Somebody who has asked, and has the berth or waits."""
    task = asyncio.create_task(berths.take(SOURCE, SERVER, patience_s=for_ever if hurries else None))
    await turn()
    return task


async def turn() -> None:
    """Let everybody come as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def gone(task: asyncio.Task[T]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await turn()


async def test_who_finds_none_free_waits_and_is_served_in_order() -> None:
    berths = Berths(1)
    first = await berths.take(SOURCE, SERVER, patience_s=None)
    second, third = await asking(berths), await asking(berths)
    assert berths.counts() == {SOURCE: (1, 2)}
    first.give_back()
    first.give_back()
    await turn()
    assert (second.done(), third.done()) == (True, False)
    (await second).give_back()
    (await third).give_back()
    assert berths.counts() == {}


async def test_each_source_and_each_server_has_its_own() -> None:
    berths = Berths(1)
    for source, server in (("a", "x"), ("a", "y"), ("b", "x")):
        await berths.take(source, server, patience_s=0)
    assert berths.counts() == {"a": (2, 0), "b": (1, 0)}


async def test_people_go_first_and_let_one_of_the_others_in_between() -> None:
    berths = Berths(1)
    berth = await berths.take(SOURCE, SERVER, patience_s=None)
    patient = await asking(berths)
    hurried = [await asking(berths, hurries=True) for _ in range(IN_A_ROW + 2)]
    served: list[asyncio.Task[Berth]] = []
    while waiting := [task for task in (patient, *hurried) if task not in served]:
        berth.give_back()
        await turn()
        [now] = [task for task in waiting if task.done()]
        served.append(now)
        berth = await now
    assert served == [*hurried[:IN_A_ROW], patient, *hurried[IN_A_ROW:]]


async def test_people_are_told_when_none_is_free_in_time() -> None:
    berths = Berths(1)
    berth = await berths.take(SOURCE, SERVER, patience_s=None)
    with pytest.raises(SourceBusy, match=r"static-1 to mail\.test") as caught:
        await berths.take(SOURCE, SERVER, patience_s=0)
    assert (caught.value.reason, berths.counts()) == ("busy", {SOURCE: (1, 0)})
    berth.give_back()
    await berths.take(SOURCE, SERVER, patience_s=0)


async def test_who_gives_up_while_being_served_takes_nothing_along() -> None:
    berths = Berths(1)
    berth = await berths.take(SOURCE, SERVER, patience_s=None)
    second, third = await asking(berths), await asking(berths)
    berth.give_back()
    await gone(second)
    assert third.done()
    assert berths.counts() == {SOURCE: (1, 0)}


async def test_those_who_are_cancelled_together_are_passed_over() -> None:
    berths = Berths(1)
    first = await berths.take("s", "h", patience_s=None)
    waiting = [asyncio.create_task(berths.take("s", "h", patience_s=None)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    first.give_back()
    last = await waiting[2]
    assert berths.counts() == {"s": (1, 0)}
    for task in waiting[:2]:
        with pytest.raises(asyncio.CancelledError):
            await task
    last.give_back()
    assert berths.counts() == {}


async def test_who_can_spare_a_berth_is_called_back_and_only_as_many_as_are_waited_for() -> None:
    berths = Berths(3)
    held = [await berths.take(SOURCE, SERVER, patience_s=None) for _ in range(3)]
    called: list[int] = []
    for number, berth in enumerate(held):
        berth.offer(lambda number=number: called.append(number))
    assert called == []
    held[0].keep()
    waiting = [await asking(berths) for _ in range(2)]
    assert called == [1, 2]
    third = await asking(berths)
    assert called == [1, 2]
    held[0].offer(lambda: called.append(0))
    assert called == [1, 2, 0]
    assert [berth.is_recalled for berth in held] == [True, True, True]
    for berth in held:
        berth.give_back()
    assert not any([(await task).is_recalled for task in (*waiting, third)])


async def test_a_smaller_limit_calls_back_and_lets_nobody_in_until_it_is_kept() -> None:
    berths = Berths(3)
    held = [await berths.take(SOURCE, SERVER, patience_s=None) for _ in range(3)]
    called: list[int] = []
    for number, berth in enumerate(held):
        berth.offer(lambda number=number: called.append(number))
    berths.set_limits({SOURCE: 1})
    assert called == [0, 1]
    waiting = await asking(berths)
    held[0].give_back()
    held[1].give_back()
    await turn()
    assert not waiting.done()
    berths.set_limits({SOURCE: 2})
    await turn()
    assert waiting.done()


@pytest.mark.parametrize(
    ("traffic", "host", "expected"),
    [
        (Traffic.SYNC, "Mail.Test.", {SOURCE: (1, 1)}),
        (Traffic.LIVE, "mail.test", {SOURCE: (1, 0)}),
        (Traffic.WEBHOOK, "mail.test", {SOURCE: (1, 0)}),
    ],
)
async def test_synchronisation_waits_people_are_told_and_webhooks_are_not_counted(
    traffic: Traffic, host: str, expected: dict[str, tuple[int, int]]
) -> None:
    berths = Berths(1)
    await berths.take(SOURCE, SERVER, patience_s=None)
    environment = EnvironmentName(Generation.V3, "us", Kind.STATIC)
    dial = Dial(traffic, environment, Caller("app", "subject"), host, 993, tls=True)
    task = asyncio.create_task(_outcome(berths.for_dial(dial, SOURCE, within_s=0)))
    await asyncio.wait([task], timeout=0.01)
    assert berths.counts() == expected
    if traffic is not Traffic.SYNC:
        assert await task == ("busy" if traffic is Traffic.LIVE else "a berth")
    await gone(task)


async def _outcome(asked: Awaitable[Berth]) -> str:
    try:
        await asked
    except SourceBusy as e:
        return e.reason
    return "a berth"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["sync", "person", "give_back", "cancel", "offer", "keep", "limit"]), st.integers(0, 1000)
    ),
    max_size=60,
)


@given(limit=st.integers(1, 4), steps=STEPS)
def test_whatever_happens(limit: int, steps: list[tuple[str, int]]) -> None:
    """Nobody new gets in above the limit, no berth is lost, and in the end everybody who still wants one had one."""

    async def play() -> None:
        berths, now = Berths(limit), limit
        tasks: list[asyncio.Task[Berth]] = []
        held: list[Berth] = []
        recalled: list[Berth] = []

        async def settle() -> None:
            before = len(held)
            await turn()
            for task in [task for task in tasks if task.done()]:
                tasks.remove(task)
                held.append(await task)
            assert len(held) <= max(now, before)
            assert berths.counts().get(SOURCE, (0, 0)) == (len(held), len(tasks))
            assert not tasks or len(held) >= now

        for step, number in steps:
            chosen = held[number % len(held)] if held else None
            match step:
                case "sync" | "person":
                    tasks.append(await asking(berths, hurries=step == "person"))
                case "cancel" if tasks:
                    await gone(tasks.pop(number % len(tasks)))
                case "limit":
                    now = 1 + number % 4
                    berths.set_limits({SOURCE: now})
                case "give_back" if chosen:
                    held.remove(chosen)
                    chosen.give_back()
                case "offer" if chosen and chosen not in recalled:
                    chosen.offer(lambda berth=chosen: recalled.append(berth))
                case "keep" if chosen:
                    chosen.keep()
                case _:
                    pass
            await settle()
            assert all(berth.is_recalled for berth in recalled)
        while held or tasks:
            held.pop(0).give_back()
            await settle()
        assert berths.counts() == {}

    asyncio.run(play())
