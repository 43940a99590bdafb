"""One flight for all who ask, and outcomes that stand for a while."""

import asyncio
import gc
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from typing import cast

import pytest

from mooring.errors import (
    AuthenticationFailed,
    ConnectTimeout,
    InvalidRequest,
    LedgerUnavailable,
    MooringError,
    NoSource,
    NotFound,
    ProviderFailure,
    ProxyRefused,
    RemoteProtocolError,
    ServerRefused,
    SourceUnavailable,
    TargetNotAllowed,
)
from mooring.sync.flights import FAILURE_S, REMEMBERED, SUCCESS_S, Flights

FAILURES: list[MooringError] = [
    ProviderFailure(
        "no answer", stage="connect", reason="timeout", host="h", port=993, source="192.0.2.1", environment="dynamic",
        traffic="live", server_said="no", refused=True, hint="ask",
    ),
    SourceUnavailable("gone", reason="unplumbed", hint="plumb it"),
    NoSource("none", reason="empty_pool"),
    ProxyRefused("no", reason="proxy"),
    LedgerUnavailable("no", reason="ledger"),
    TargetNotAllowed("10.0.0.1", hint="allow it"),
    ServerRefused("no", reply="NO no", code="NOPERM", permanent=False),
    AuthenticationFailed("no", reply="NO no"),
    ConnectTimeout("nobody", reason="timeout", detail="d"),
    RemoteProtocolError("what"),
    InvalidRequest("no", hint="why"),
    NotFound("none"),
]  # fmt: skip


class FakeClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at


class Work:
    """Work whose outcomes the test decides; it counts how often it was done."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.done = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> object:
        self.done += 1
        outcome = self.outcomes[min(self.done, len(self.outcomes)) - 1]
        await self.gate.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def flights(clock: FakeClock) -> Flights[object]:
    return Flights[object](clock)


async def test_all_who_ask_at_once_share_one_flight(flights: Flights[object]) -> None:
    work = Work("found")
    work.gate.clear()
    asking = [asyncio.create_task(flights.ask("k", work)) for _ in range(20)]
    other = asyncio.create_task(flights.ask("another", work))
    await asyncio.wait(asking, timeout=0)
    work.gate.set()
    assert [await task for task in asking] == ["found"] * 20
    assert await other == "found"
    assert work.done == 2


async def test_who_goes_away_does_not_end_the_flight_of_the_others(flights: Flights[object]) -> None:
    work = Work("found")
    work.gate.clear()
    leaving, staying = (asyncio.create_task(flights.ask("k", work)) for _ in range(2))
    await asyncio.wait([leaving, staying], timeout=0)
    leaving.cancel()
    await asyncio.wait([leaving])
    work.gate.set()
    assert await staying == "found"
    assert work.done == 1


async def test_a_failure_after_everybody_left_is_remembered_and_nobody_complains(flights: Flights[object]) -> None:
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    work = Work(NotFound("none"))
    work.gate.clear()
    asking = asyncio.create_task(flights.ask("k", work))
    await asyncio.wait([asking], timeout=0)
    asking.cancel()
    await asyncio.wait([asking])
    work.gate.set()
    assert await flights.ask("another, so that the first one comes to its end", Work("found")) == "found"
    gc.collect()
    assert said == []
    with pytest.raises(NotFound, match="Found 0 s ago"):
        await flights.ask("k", work)
    assert work.done == 1


async def test_a_success_stands_for_five_seconds(flights: Flights[object], clock: FakeClock) -> None:
    work = Work("first", "second")
    assert await flights.ask("k", work) == "first"
    clock.at += SUCCESS_S - 0.1
    assert await flights.ask("k", work) == "first"
    clock.at += 0.1
    assert await flights.ask("k", work) == "second"


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_failure_stands_for_thirty_seconds_with_its_kind_and_age(
    flights: Flights[object], clock: FakeClock, failure: MooringError
) -> None:
    work = Work(failure, "well again")
    with pytest.raises(MooringError) as first:
        await flights.ask("k", work)
    assert first.value is failure
    original = dict(vars(failure))
    for later, age in ((0.0, 0), (12.0, 12), (17.9, 30)):
        clock.at += later
        with pytest.raises(type(failure)) as again:
            await flights.ask("k", work)
        assert type(again.value) is type(failure)
        assert f"Found {age} s ago" in again.value.message
        assert str(again.value) == again.value.message
        assert again.value.message.startswith(original["message"])
        assert {**vars(again.value), "message": original["message"]} == original
    assert (work.done, vars(failure)) == (1, original)
    clock.at += FAILURE_S - 29.9
    assert await flights.ask("k", work) == "well again"


async def test_a_defect_is_not_remembered(flights: Flights[object]) -> None:
    work = Work(ValueError("a defect"), "well")
    with pytest.raises(ValueError, match="a defect"):
        await flights.ask("k", work)
    assert await flights.ask("k", work) == "well"


async def test_no_more_failures_are_remembered_than_there_is_room_for(flights: Flights[object]) -> None:
    work = Work(NotFound("none"))
    for key in (*range(REMEMBERED + 1), REMEMBERED):
        with pytest.raises(NotFound):
            await flights.ask(key, work)
    assert work.done == REMEMBERED + 1
    with pytest.raises(NotFound):
        await flights.ask(0, work)
    assert work.done == REMEMBERED + 2


class Page:
    """An answer that can be watched."""


async def test_an_answer_is_held_no_longer_than_it_stands(flights: Flights[object], clock: FakeClock) -> None:
    answer = weakref.ref(cast("Page", await flights.ask("k", Work(Page()))))
    clock.at += SUCCESS_S - 0.1
    await flights.ask("another", Work("found"))
    gc.collect()
    assert answer() is not None
    clock.at += 0.1
    await flights.ask("a third", Work("found"))
    gc.collect()
    assert answer() is None


async def test_a_remembered_failure_holds_nothing_that_it_went_through(flights: Flights[object]) -> None:
    pages: list[weakref.ref[Page]] = []

    async def work() -> object:
        page = Page()
        pages.append(weakref.ref(page))
        raise NotFound("none")

    with suppress(NotFound):
        await flights.ask("k", work)
    await flights.ask("another, so that the first one's task comes to its end", Work("found"))
    gc.collect()
    assert [page() for page in pages] == [None]
