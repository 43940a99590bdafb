"""The rules of a watch, by a clock that a test moves."""

from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest

from mooring.diagnosis.types import Lookup, Outcome
from mooring.diagnosis.watches.doors import RECENT
from mooring.diagnosis.watches.rules import (
    FIRST,
    FREE_TURNS,
    KEPT_OPEN,
    LONGEST,
    PATIENT,
    SECOND,
    Change,
    ChangeKind,
    Rhythm,
    Standing,
    WatchState,
    after_time,
    next_look,
    patience,
)
from tests.unit.diagnosis.watching import (
    FOUR,
    IMAP_HOST,
    IMAP_TARGET,
    NODE,
    OTHER_NODE,
    SMTP_TARGET,
    START,
    Watching,
    told,
)


def test_open_after_two_successes_in_a_row_at_the_time_of_the_first() -> None:
    watch = Watching()
    assert watch.look() == []
    watch.admit(*FOUR)
    assert watch.look() == []
    assert watch.state is WatchState.WAITING
    [change] = watch.look()
    assert change == Change(START + timedelta(minutes=2), ChangeKind.OPENED, FOUR, 4, 4)
    assert change.is_whole
    assert watch.state is WatchState.OPEN
    assert watch.look() == []


def test_a_part_is_told_and_then_the_rest() -> None:
    watch = Watching()
    watch.admit(*FOUR[:3])
    [part] = watch.look(2)
    assert (part.addresses, part.open, part.total, part.is_whole) == (FOUR[:3], 3, 4, False)
    watch.admit(*FOUR)
    [rest] = watch.look(2)
    assert (rest.addresses, rest.open, rest.is_whole) == (FOUR[3:], 4, True)


def test_one_success_alone_opens_nothing() -> None:
    watch = Watching()
    for _ in range(5):
        watch.admit(*FOUR)
        watch.look()
        watch.admit()
        watch.look()
    assert watch.changes == []


def test_an_address_is_open_when_all_its_services_are() -> None:
    watch = Watching(targets=(IMAP_TARGET, SMTP_TARGET))
    watch.admit(*FOUR, at=(NODE,))
    assert watch.look(3) == []
    assert watch.standing.open_addresses == []
    watch.admit(*FOUR)
    [change] = watch.look(2)
    assert change.addresses == FOUR
    assert change.at == START + timedelta(minutes=4)


def test_a_server_that_speaks_to_us_lets_us_in_whatever_its_certificate_is() -> None:
    watch = Watching(lets_in=lambda _: Outcome.CERTIFICATE)
    watch.look(2)
    assert watch.state is WatchState.OPEN


def test_closed_after_two_failures_in_a_row() -> None:
    watch = Watching()
    watch.open_up()
    watch.admit(*FOUR[1:])
    assert watch.look() == []
    assert watch.state is WatchState.OPEN
    watch.admit(*FOUR)
    assert watch.look() == []
    watch.admit(*FOUR[1:])
    [change] = watch.look(2)
    assert change == Change(START + timedelta(minutes=5), ChangeKind.CLOSED, FOUR[:1], 3, 4)
    assert watch.state is WatchState.WAITING
    assert watch.standing.began == watch.now
    watch.admit(*FOUR)
    watch.look(2)
    assert watch.state is WatchState.OPEN
    assert [c.kind for c in watch.changes] == [ChangeKind.CLOSED, ChangeKind.OPENED]


@pytest.mark.parametrize("why", ["no exit is proved to work", "it is remembered from before"])
def test_nothing_is_closed_where_our_own_exit_may_be_to_blame(why: str) -> None:
    watch = Watching()
    watch.open_up()
    watch.proved, watch.remembered = ((), False) if why.startswith("no exit") else (FOUR, True)
    watch.admit()
    assert watch.look(9) == []
    assert watch.state is WatchState.OPEN


def test_a_new_address_of_the_server_closes_nothing_by_an_exit_that_may_be_broken() -> None:
    watch = Watching()
    watch.open_up()
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE, OTHER_NODE))
    watch.admit(*FOUR, at=(NODE,))
    watch.proved = ()
    assert watch.look(5) == []
    watch.proved = None
    assert told(watch.look(2)) == [("closed", FOUR, 0, 4)]


@pytest.mark.parametrize("outcome", [Outcome.SPARED, Outcome.OURS, Outcome.LIMITED])
def test_what_was_not_looked_at_changes_nothing_but_has_had_its_turn(outcome: Outcome) -> None:
    watch = Watching()
    watch.admit(*FOUR)
    watch.look()
    before = watch.standing.doors
    watch.lets_in = lambda _: outcome
    watch.look()
    assert {door.tried_at for door in watch.standing.doors} == {watch.now}
    was_tried = tuple(msgspec.structs.replace(door, tried_at=watch.now) for door in before)
    assert watch.standing.doors == was_tried
    watch.admit(*FOUR)
    assert len(watch.look()) == 1


def test_what_was_seen_before_for_somebody_else_is_no_second_success() -> None:
    watch = Watching()
    watch.admit(*FOUR)
    watch.look()
    assert watch.look(after=timedelta(0)) == []
    assert watch.state is WatchState.WAITING


def test_a_list_that_has_grown_is_waited_for() -> None:
    watch = Watching(ours=FOUR[:3])
    watch.open_up()
    watch.ours = FOUR
    watch.admit(*FOUR[:3])
    assert watch.look() == []
    assert watch.state is WatchState.WAITING
    watch.admit(*FOUR)
    [change] = watch.look(2)
    assert (change.addresses, change.is_whole) == (FOUR[3:], True)


def test_a_list_that_has_lost_the_last_closed_address_is_told_as_open() -> None:
    watch = Watching()
    watch.admit(*FOUR[:3])
    watch.look(3)
    watch.ours = FOUR[:3]
    [change] = watch.look()
    assert change == Change(watch.now, ChangeKind.OPENED, (), 3, 3)
    assert change.is_whole
    assert watch.state is WatchState.OPEN
    assert watch.look(3) == []


def test_a_server_that_comes_and_goes_makes_few_events_and_the_watch_ends() -> None:
    watch, chance = Watching(), Random(3)
    while not watch.state.is_end:
        # Whatever it says, it says it twice.
        watch.admit(*(FOUR if chance.random() < 0.5 else ()))
        watch.look(2)
        watch.standing, changes = after_time(watch.standing, START, watch.now)
        watch.changes += changes
        watch.now += timedelta(minutes=10)
    assert watch.now - START <= LONGEST + timedelta(hours=1)
    assert FREE_TURNS < len(watch.changes) < 20


def test_the_first_changes_are_told_at_once_and_a_later_one_after_an_hour() -> None:
    watch = Watching()
    for addresses in (FOUR, (), FOUR):
        watch.admit(*addresses)
        assert len(watch.look(2)) == 1
    watch.admit()
    assert watch.look(30) == []
    assert (watch.state, watch.standing.may_connect) == (WatchState.OPEN, False)
    assert told(watch.look(40)) == [("closed", FOUR, 0, 4)]


def waits(standing: Standing, now: datetime) -> tuple[float, float]:
    """The shortest and the longest wait of a hundred, in seconds."""
    chance = Random(1)
    found = [next_look(standing, now, Rhythm(), chance) for _ in range(100)]
    seconds = [wait.total_seconds() for wait in found if wait is not None]
    return min(seconds), max(seconds)


def test_how_often_it_looks() -> None:
    waiting, open_ = Standing(START), Standing(START, WatchState.OPEN)
    for age, least, most in (
        (timedelta(0), 60, 120),
        (FIRST, 300, 600),
        (SECOND, 2400, 4800),
        (PATIENT - timedelta(hours=1), 2400, 4800),
    ):
        shortest, longest = waits(waiting, START + age)
        assert least <= shortest < longest <= most
    shortest, longest = waits(open_, START)
    assert 4 * 3600 <= shortest < longest <= 8 * 3600
    assert next_look(Standing(START, WatchState.EXPIRED), START, Rhythm(), Random(1)) is None


def test_what_is_in_doubt_is_looked_at_soon_but_not_for_ever() -> None:
    watch = Watching()
    watch.now += timedelta(days=3)
    watch.admit(*FOUR[:1])
    watch.look()
    shortest, longest = waits(watch.standing, watch.now)
    assert 60 <= shortest < longest <= 120
    watch.lets_in = lambda door: Outcome.OURS if door.address == FOUR[0] else False
    watch.look(10)
    assert waits(watch.standing, watch.now)[1] <= 120
    watch.look(1, after=RECENT)
    assert waits(watch.standing, watch.now)[0] >= 2400
    watch.open_up()
    watch.admit(*FOUR[1:])
    watch.look()
    assert waits(watch.standing, watch.now)[1] <= 120


def test_an_account_that_our_own_side_keeps_waiting_is_tried_soon_and_then_less_often() -> None:
    open_ = Standing(START, WatchState.OPEN)
    waited = [patience(open_, START + age, Rhythm()) for age in (timedelta(0), timedelta(hours=4), timedelta(days=9))]
    assert waited == [timedelta(seconds=90), timedelta(hours=1), timedelta(hours=6)]


def test_it_ends() -> None:
    waiting, open_ = Standing(START), Standing(START, WatchState.OPEN)
    for standing, time, state, kind in (
        (waiting, PATIENT, WatchState.EXPIRED, ChangeKind.EXPIRED),
        (open_, KEPT_OPEN, WatchState.ENDED, ChangeKind.ENDED),
    ):
        assert after_time(standing, START, START + time - timedelta(seconds=1)) == (standing, [])
        ended, [change] = after_time(standing, START, START + time)
        assert (ended.state, change.kind) == (state, kind)
        assert ended.state.is_end
        begun_anew, _ = after_time(standing, START - LONGEST, START)
        assert begun_anew.state is state
