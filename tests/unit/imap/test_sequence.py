"""UID sets: ranges in, ranges out, and never a list as long as a server pleases."""

import random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import InvalidRequest, RemoteProtocolError
from mooring.protocols.imap.sequence import ALL, UidSet
from mooring.protocols.imap.spelling import MAX_UID, in_order
from mooring.steps import Steps

T = TypeVar("T")
_UIDS = st.sets(st.integers(1, 300), max_size=120)


@pytest.mark.parametrize(
    ("uids", "text"),
    [([], ""), ([5], "5"), ([3, 1, 2, 2], "1:3"), ([1, 2, 4, 6, 7], "1:2,4,6:7"), ([MAX_UID - 1], "4294967294")],
)
def test_spelling(uids: list[int], text: str) -> None:
    assert str(UidSet.of(uids)) == text


@given(_UIDS, _UIDS)
def test_a_set_of_ranges_is_a_set(one: set[int], two: set[int]) -> None:
    a, b = UidSet.of(one), UidSet.of(two)
    assert list(a) == sorted(one)
    assert len(a) == len(one)
    assert bool(a) is bool(one)
    assert {uid for uid in range(302) if uid in a} == one
    assert list(a | b) == sorted(one | two)
    assert UidSet.parse(str(a)) == a


@given(_UIDS, st.integers(1, 50), st.integers(8, 60))
def test_batches_are_a_partition_within_their_limits(uids: set[int], count: int, chars: int) -> None:
    batches = list(UidSet.of(uids).batches(count, chars))
    assert [uid for batch in batches for uid in batch] == sorted(uids)
    assert all(len(batch) <= count and len(str(batch)) <= chars for batch in batches)


def test_full_batches() -> None:
    sizes = [len(batch) for batch in UidSet.of([*range(1, 251), *range(300, 551)]).batches(200)]
    assert sizes == [200, 200, 101]


def test_an_open_range_is_one_batch() -> None:
    assert [str(batch) for batch in UidSet.since(5).batches(10)] == ["5:*"]
    assert [str(batch) for batch in (UidSet.of([1]) | UidSet.since(5)).batches(10)] == ["1,5:*"]
    assert ALL.is_open
    assert not UidSet.of([9]).is_open


def test_a_hostile_range_costs_nothing() -> None:
    everything = UidSet.parse("1:4294967295,7,3:5")
    assert len(everything) == MAX_UID
    assert 4_000_000_000 in everything
    assert everything == ALL


@pytest.mark.parametrize("text", ["0", "a", "1,", "1:2:3", "4294967296", "-1", "1 2", "99999999999999999999", "0:5"])
def test_what_is_no_set(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        UidSet.parse(text)


@pytest.mark.parametrize("uid", [0, -1, MAX_UID + 1])
def test_what_is_no_uid(uid: int) -> None:
    with pytest.raises(InvalidRequest):
        UidSet.of([uid])
    with pytest.raises(InvalidRequest):
        UidSet.since(uid)


def test_the_order_of_copyuid_is_kept() -> None:
    assert in_order("304,319:320,5", 10) == [304, 319, 320, 5]
    assert in_order("1:4294967295", 1000) is None


@given(_UIDS, _UIDS)
def test_without_is_what_sets_do(uids: set[int], others: set[int]) -> None:
    assert UidSet.of(uids).without(others) == UidSet.of(uids - others)


@given(_UIDS, st.integers(0, 130))
def test_the_highest(uids: set[int], count: int) -> None:
    assert list(UidSet.of(uids).highest(count)) == sorted(uids)[max(0, len(uids) - count) :]


@given(_UIDS, st.integers(0, 130))
def test_the_highest_and_the_rest(uids: set[int], count: int) -> None:
    low, high = UidSet.of(uids).split(count)
    at = max(0, len(uids) - count)
    assert (list(low), list(high)) == (sorted(uids)[:at], sorted(uids)[at:])
    assert low | high == UidSet.of(uids)


@given(_UIDS, st.integers(1, 50))
def test_batches_from_the_top_are_full_and_a_partition(uids: set[int], count: int) -> None:
    batches = list(UidSet.of(uids).batches_from_the_top(count))
    assert [uid for batch in reversed(batches) for uid in batch] == sorted(uids)
    assert [len(batch) for batch in batches[:-1]] == [count] * (len(batches) - 1)


def test_a_batch_from_the_top_that_is_too_scattered_for_one_line_is_several() -> None:
    uids = UidSet.of(range(1_000_000, 1_010_000, 2))
    batches = list(uids.batches_from_the_top(MAX_UID))
    assert [uid for batch in reversed(batches) for uid in batch] == list(uids)
    assert max(len(str(batch)) for batch in batches) <= 7000


@given(st.lists(_UIDS, max_size=5))
def test_a_union_in_any_order(many: list[set[int]]) -> None:
    assert list(UidSet.union(map(UidSet.of, many))) == sorted(set().union(*many))


LARGE = [uid for uid in range(1, 40_000) if uid % 5 or uid % 7]
SHUFFLED = random.Random(2).sample(LARGE, len(LARGE))


@pytest.mark.parametrize("uids", [LARGE, SHUFFLED, LARGE[::-1], [*LARGE, *LARGE[:20_000]]], ids="osrd")
def test_long_texts_are_read_in_steps_to_the_same_set(uids: list[int]) -> None:
    text = ",".join(map(str, uids))
    for steps in (
        UidSet.reading(text.encode()),
        UidSet.reading_numbers(text.replace(",", " ").encode()),
        UidSet.reading_numbers(text.replace(",", "  ").encode()),
    ):
        found, count = stepwise(steps)
        assert found == UidSet.of(LARGE)
        assert count > 10
    assert UidSet.parse(f"7:9,{text}") == UidSet.of(LARGE)


def test_what_takes_long_with_a_large_set_is_done_in_steps() -> None:
    odd = UidSet.of(range(1, 40_000, 2))
    left, count = stepwise(odd.leaving_out(range(1, 20_001)))
    assert left == UidSet.of(range(20_001, 40_000, 2))
    assert count >= 9
    assert stepwise(odd.counting()) == (20_000, 10)


@pytest.mark.parametrize("separator", [",,", ", ", ",0,", ",x,"])
def test_a_long_text_that_is_no_set(separator: str) -> None:
    with pytest.raises(RemoteProtocolError):
        UidSet.parse(",".join(map(str, LARGE)) + separator + "1")
    with pytest.raises(RemoteProtocolError):
        UidSet.parse(separator + ",".join(map(str, LARGE)))


def stepwise(steps: Steps[T]) -> tuple[T, int]:
    """What the steps make, and how many there were."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


def test_a_set_of_billions_costs_no_more_than_what_is_taken_out() -> None:
    claimed = UidSet.between(1, MAX_UID - 1)
    assert claimed.without([7, 9]).ranges == ((1, 6), (8, 8), (10, MAX_UID - 1))
    assert claimed.highest(50).ranges == ((MAX_UID - 50, MAX_UID - 1),)
