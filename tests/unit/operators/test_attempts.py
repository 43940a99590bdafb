"""Who is wrong too often is not heard for a while; whoever else is, is."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from mooring.operators import TooManyAttempts, WrongPassword
from mooring.operators.attempts import FOR_NAME, FROM_ADDRESS, FROM_ADDRESS_FOR_NAME, Attempts


@dataclass
class StoppedClock:
    """Stands still until it is told to move."""

    seconds: float = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def attempts(clock: StoppedClock) -> Attempts:
    return Attempts(clock)


def fail(attempts: Attempts, address: str, name: str) -> None:
    with pytest.raises(WrongPassword), attempts.attempt(address, name):
        raise WrongPassword("no")


def heard(attempts: Attempts, address: str, name: str) -> bool:
    """Whether an attempt is heard; it succeeds, which costs nothing."""
    try:
        with attempts.attempt(address, name):
            return True
    except TooManyAttempts:
        return False


def test_one_address_may_be_wrong_about_one_name_some_times(attempts: Attempts, clock: StoppedClock) -> None:
    for _ in range(FROM_ADDRESS_FOR_NAME.burst):
        fail(attempts, "192.0.2.1", "olga")
    with pytest.raises(TooManyAttempts) as caught, attempts.attempt("192.0.2.1", "olga"):
        raise AssertionError("it was heard")
    assert caught.value.wait_s == pytest.approx(FROM_ADDRESS_FOR_NAME.interval_s)
    assert heard(attempts, "192.0.2.1", "adam")
    assert heard(attempts, "192.0.2.2", "olga")
    clock.seconds += caught.value.wait_s
    assert heard(attempts, "192.0.2.1", "olga")


def test_one_address_may_be_wrong_about_all_names_some_times(attempts: Attempts) -> None:
    for number in range(FROM_ADDRESS.burst):
        fail(attempts, "2001:db8::1", f"name{number}")
    assert not heard(attempts, "2001:db8::2", "olga")
    assert heard(attempts, "2001:db8:0:1::1", "olga")


def test_one_name_is_guessed_from_everywhere_some_times(attempts: Attempts, clock: StoppedClock) -> None:
    for number in range(FOR_NAME.burst):
        fail(attempts, f"192.0.{number}.1", "olga")
    assert not heard(attempts, "203.0.113.9", "olga")
    clock.seconds += FOR_NAME.interval_s
    assert heard(attempts, "203.0.113.9", "olga")


def test_what_succeeds_or_fails_for_another_reason_costs_nothing(attempts: Attempts) -> None:
    for _ in range(100):
        assert heard(attempts, "192.0.2.1", "olga")
        with pytest.raises(ValueError, match="database"), attempts.attempt("192.0.2.1", "olga"):
            raise ValueError("the database is away")
    assert heard(attempts, "192.0.2.1", "olga")


def test_attempts_under_way_count(attempts: Attempts) -> None:
    held = [attempts.attempt("192.0.2.1", "olga") for _ in range(FROM_ADDRESS_FOR_NAME.burst)]
    for one in held:
        one.__enter__()
    assert not heard(attempts, "192.0.2.1", "olga")
    for one in held:
        one.__exit__(None, None, None)
    assert heard(attempts, "192.0.2.1", "olga")


def test_what_is_not_heard_costs_nothing(attempts: Attempts, clock: StoppedClock) -> None:
    for _ in range(FROM_ADDRESS_FOR_NAME.burst):
        fail(attempts, "192.0.2.1", "olga")
    for _ in range(1000):
        assert not heard(attempts, "192.0.2.1", "olga")
    clock.seconds += FROM_ADDRESS_FOR_NAME.interval_s
    assert heard(attempts, "192.0.2.1", "olga")


def test_who_got_in_before_gets_in_from_there_while_others_guess(attempts: Attempts) -> None:
    assert heard(attempts, "192.0.2.1", "olga")
    for number in range(FOR_NAME.burst):
        fail(attempts, f"198.51.{number}.1", "olga")
    assert not heard(attempts, "203.0.113.1", "olga")
    assert heard(attempts, "192.0.2.1", "olga")
