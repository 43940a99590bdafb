"""When a fact is tried again, given up, and when an endpoint is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.webhooks.schedule import (
    FAILED_AFTER,
    LAST_RETRY_S,
    MAX_ANSWERED,
    MOST_AT_ONCE,
    WINDOW,
    Health,
    Result,
    Verdict,
    at_once,
    is_given_up,
    pause_s,
)
from mooring.webhooks.types import WebhookStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.TAKEN), (204, Verdict.TAKEN), (299, Verdict.TAKEN), (301, Verdict.ANSWERED),
        (400, Verdict.ANSWERED), (404, Verdict.ANSWERED), (410, Verdict.ANSWERED), (500, Verdict.ANSWERED),
        (507, Verdict.ANSWERED), (429, Verdict.LOST), (502, Verdict.LOST), (503, Verdict.LOST), (504, Verdict.LOST),
        (None, Verdict.LOST),
    ],
)  # fmt: skip
def test_an_answer_means_one_thing(status: int | None, verdict: Verdict) -> None:
    assert Result(status).verdict is verdict


@given(st.integers(1, 100_000), st.floats(-1, 1), st.none() | st.floats(0, 1e9))
def test_a_pause_is_never_short_nor_endless(failures: int, jitter: float, asked: float | None) -> None:
    assert 0.5 <= pause_s(failures, jitter, asked) <= LAST_RETRY_S * 1.3


def test_pauses_double_and_keep_to_what_was_asked_for() -> None:
    assert [pause_s(n, 0) for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert pause_s(30, 0) == LAST_RETRY_S
    assert pause_s(1, 0, retry_after_s=90) == 90
    assert pause_s(1, 0, retry_after_s=-5) == 1


def test_only_what_was_read_and_refused_is_given_up() -> None:
    assert not is_given_up(MAX_ANSWERED - 1)
    assert is_given_up(MAX_ANSWERED)


def failing_for(how_long: timedelta) -> Health:
    health = Health()
    at = NOON
    while at <= NOON + how_long:
        health.record(at, taken=0, failed=1)
        at += timedelta(minutes=1)
    return health


def test_an_endpoint_fails_after_a_quarter_of_an_hour_without_success() -> None:
    health = failing_for(WINDOW)
    before, after = NOON + WINDOW - timedelta(seconds=1), NOON + WINDOW
    assert health.status(WebhookStatus.ACTIVE, NOON, before) is WebhookStatus.ACTIVE
    assert health.status(WebhookStatus.ACTIVE, NOON, after) is WebhookStatus.FAILING


def test_one_success_in_ten_keeps_it_active() -> None:
    health = Health()
    for minute in range(60):
        health.record(NOON + timedelta(minutes=minute), taken=int(minute % 10 == 0), failed=1)
    assert health.status(WebhookStatus.ACTIVE, NOON, NOON + timedelta(hours=1)) is WebhookStatus.ACTIVE


def test_a_failing_endpoint_that_takes_again_is_active() -> None:
    health = failing_for(timedelta(hours=2))
    now = NOON + timedelta(hours=2, minutes=1)
    assert health.status(WebhookStatus.FAILING, NOON, now) is WebhookStatus.FAILING
    health.record(now, taken=5, failed=0)
    assert health.status(WebhookStatus.FAILING, NOON, now) is WebhookStatus.ACTIVE


def test_an_endpoint_that_fails_for_three_days_is_given_up() -> None:
    health = failing_for(timedelta(minutes=30))
    health.record(NOON + FAILED_AFTER - timedelta(hours=1), taken=0, failed=1)
    assert health.status(WebhookStatus.FAILING, NOON, NOON + FAILED_AFTER) is WebhookStatus.FAILED
    assert health.status(WebhookStatus.FAILED, NOON, NOON + FAILED_AFTER * 2) is WebhookStatus.FAILED
    assert health.status(WebhookStatus.PAUSED, NOON, NOON + FAILED_AFTER * 2) is WebhookStatus.PAUSED


def test_an_endpoint_for_which_there_was_nothing_to_do_is_not_given_up() -> None:
    health = failing_for(timedelta(minutes=35))
    assert health.status(WebhookStatus.FAILING, NOON, NOON + FAILED_AFTER) is WebhookStatus.FAILING
    health.record(NOON + FAILED_AFTER, taken=1, failed=0)
    assert health.status(WebhookStatus.FAILING, NOON, NOON + FAILED_AFTER) is WebhookStatus.ACTIVE


@given(st.lists(st.sampled_from(Verdict)))
def test_there_is_always_one_delivery_at_a_time_and_never_too_many(verdicts: list[Verdict]) -> None:
    window = MOST_AT_ONCE
    for verdict in verdicts:
        window = at_once(window, verdict)
        assert 1 <= window <= MOST_AT_ONCE


def test_who_refuses_half_of_all_gets_few_at_a_time_and_who_recovers_all_again() -> None:
    window = MOST_AT_ONCE
    for _ in range(6):
        window = at_once(at_once(window, Verdict.ANSWERED), Verdict.TAKEN)
    assert window == 2
    for _ in range(MOST_AT_ONCE):
        window = at_once(window, Verdict.TAKEN)
    assert window == MOST_AT_ONCE
