"""Token buckets: the rate in the long run, the burst at once, and no more memory than that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.buckets import Buckets, Rate

TEN = Rate(10, 1, burst=20)


def taken(buckets: Buckets, times: int, now: float) -> int:
    """How many of so many tries in a row get a token."""
    return sum(not buckets.take("k", now) for _ in range(times))


@pytest.mark.parametrize("rate", [TEN, Rate(50, 1, burst=100), Rate(200, 1, burst=400), Rate(5, 60, burst=5)])
@pytest.mark.parametrize("now", [0.0, 1e9 + 0.1])
def test_a_rested_bucket_has_its_burst_and_then_its_rate(rate: Rate, now: float) -> None:
    buckets = Buckets(rate)
    assert taken(buckets, 2 * rate.burst, now) == rate.burst
    assert taken(buckets, 2 * rate.burst, now + rate.seconds) == rate.count
    assert taken(buckets, 2 * rate.burst, now + 1000 * rate.seconds) == rate.burst


def test_the_wait_is_exact() -> None:
    buckets = Buckets(TEN)
    assert taken(buckets, 20, 100.0) == 20
    assert buckets.take("k", 100.0) == pytest.approx(0.1)
    assert buckets.take("k", 100.04) == pytest.approx(0.06)
    assert buckets.take("k", 100.1) == 0
    assert buckets.take("k", 100.1) == pytest.approx(0.1)


def test_who_is_refused_loses_nothing() -> None:
    buckets = Buckets(TEN)
    taken(buckets, 1000, 100.0)
    assert taken(buckets, 20, 101.0) == 10


def test_keys_have_buckets_of_their_own() -> None:
    buckets = Buckets(TEN)
    taken(buckets, 100, 0.0)
    assert buckets.take("other", 0.0) == 0


def test_a_token_can_be_given_back() -> None:
    buckets = Buckets(TEN)
    taken(buckets, 20, 0.0)
    buckets.give_back("k")
    buckets.give_back("nobody")
    assert taken(buckets, 5, 0.0) == 1


def test_a_charge_beyond_the_bottom_is_waited_for_but_not_for_ever() -> None:
    buckets = Buckets(TEN)
    for _ in range(1000):
        buckets.charge("k", 0.0, most_s=7.0)
    assert buckets.wait_s("k", 0.0) == pytest.approx(7.0)
    assert buckets.wait_s("k", 7.0) == 0
    buckets.charge("k", 100.0, most_s=7.0)
    assert taken(buckets, 100, 100.0) == 19


def test_memory_is_bounded_and_who_came_last_is_kept() -> None:
    buckets = Buckets(Rate(1, 1, burst=1), most=3)
    for key in "abacd":
        buckets.take(key, 0.0)
    assert len(buckets) == 3
    assert [bool(buckets.wait_s(key, 0.0)) for key in "abcd"] == [True, False, True, True]


@given(st.lists(st.floats(0, 0.5), max_size=60), st.integers(1, 20), st.integers(1, 20))
def test_no_span_of_time_has_more_than_burst_and_rate(pauses: list[float], count: int, burst: int) -> None:
    buckets = Buckets(Rate(count, 1, burst=burst))
    now, given_at = 0.0, list[float]()
    for pause in pauses:
        now += pause
        if not buckets.take("k", now):
            given_at.append(now)
    for i, start in enumerate(given_at):
        for j in range(i, len(given_at)):
            assert j - i + 1 <= burst + (given_at[j] - start) * count + 1e-3
