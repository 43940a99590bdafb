"""The rules of a watch, by a clock that a test moves."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from mooring.diagnosis.types import Observation, Outcome, Service, Stage, Vantage
from mooring.diagnosis.watches.rules import (
    FIRST,
    KEPT_OPEN,
    NEWS,
    PATIENT,
    QUIET,
    SECOND,
    Change,
    ChangeKind,
    Door,
    Rhythm,
    Standing,
    WatchState,
    after_look,
    after_time,
    next_look,
    to_look_at,
)

START = datetime(2026, 1, 31, 14, tzinfo=UTC)
HOST = "mail.example.com"
FOUR = tuple(f"203.0.113.{n}" for n in (10, 11, 12, 13))
IMAP, SMTP = Service.IMAP, Service.SMTP


def door(address: str, service: Service = IMAP) -> Door:
    return Door(address, f"s-{address}", service, HOST, 993 if service is IMAP else 465)


@dataclass
class Looking:
    """A watch of four addresses.

    Attributes:
        doors: what is looked at.
    """

    doors: tuple[Door, ...] = tuple(map(door, FOUR))
    now: datetime = START
    standing: Standing = field(default_factory=lambda: Standing(START))
    changes: list[Change] = field(default_factory=list[Change])

    def look(
        self,
        *open_: str,
        shut: Outcome = Outcome.SILENT,
        proved: tuple[str, ...] = FOUR,
        services: tuple[Service, ...] = (IMAP, SMTP),
    ) -> list[Change]:
        """A minute later, with these addresses let in at these services."""
        self.now += timedelta(minutes=1)
        seen = [self.seen_of(d, Outcome.REACHED if d.address in open_ and d.service in services else shut)
                for d in self.doors]  # fmt: skip
        self.standing, changes = after_look(self.standing, self.doors, seen, proved, self.now)
        self.changes += changes
        return changes

    def seen_of(self, d: Door, outcome: Outcome) -> Observation:
        return Observation(
            1, self.now, Vantage.STATIC, "v3-us-static", d.source, d.address, d.service, d.host, d.port, "198.51.100.7",
            outcome, Stage.CAPABILITY,
        )  # fmt: skip


def test_open_after_two_successes_in_a_row_at_the_time_of_the_first() -> None:
    watch = Looking()
    assert watch.look() == []
    assert watch.look(*FOUR) == []
    assert watch.standing.state is WatchState.WAITING
    [change] = watch.look(*FOUR)
    assert change == Change(START + timedelta(minutes=2), ChangeKind.OPENED, FOUR, 4, 4)
    assert change.is_whole
    assert watch.standing.state is WatchState.OPEN
    assert watch.look(*FOUR) == []


def test_a_part_is_told_and_then_the_rest() -> None:
    watch = Looking()
    watch.look(*FOUR[:3])
    [part] = watch.look(*FOUR[:3])
    assert (part.addresses, part.open, part.total, part.is_whole) == (FOUR[:3], 3, 4, False)
    watch.look(*FOUR)
    [rest] = watch.look(*FOUR)
    assert (rest.addresses, rest.open, rest.is_whole) == (FOUR[3:], 4, True)


def test_one_success_alone_opens_nothing() -> None:
    watch = Looking()
    for _ in range(5):
        watch.look(*FOUR)
        watch.look()
    assert watch.changes == []


def test_an_address_is_open_when_all_its_services_are() -> None:
    watch = Looking(doors=tuple(door(a, s) for a in FOUR for s in (IMAP, SMTP)))
    for _ in range(3):
        assert watch.look(*FOUR, services=(IMAP,)) == []
    assert watch.standing.open_addresses == []
    watch.look(*FOUR)
    [change] = watch.look(*FOUR)
    assert change.addresses == FOUR
    assert change.at == START + timedelta(minutes=4)


def test_a_server_that_speaks_to_us_lets_us_in_whatever_its_certificate_is() -> None:
    watch = Looking()
    for _ in range(2):
        watch.look(shut=Outcome.CERTIFICATE)
    assert watch.standing.state is WatchState.OPEN


def test_closed_after_two_failures_in_a_row() -> None:
    watch = Looking()
    for _ in range(2):
        watch.look(*FOUR)
    assert watch.look(*FOUR[1:]) == []
    assert watch.standing.state is WatchState.OPEN
    assert watch.look(*FOUR) == []
    watch.look(*FOUR[1:])
    [change] = watch.look(*FOUR[1:])
    assert change == Change(START + timedelta(minutes=5), ChangeKind.CLOSED, FOUR[:1], 3, 4)
    assert watch.standing.state is WatchState.WAITING
    assert watch.standing.began == watch.now
    for _ in range(2):
        watch.look(*FOUR)
    assert watch.standing.state is WatchState.OPEN
    assert [c.kind for c in watch.changes] == [ChangeKind.OPENED, ChangeKind.CLOSED, ChangeKind.OPENED]


def test_nothing_is_closed_where_our_own_exit_may_be_to_blame() -> None:
    watch = Looking()
    for _ in range(2):
        watch.look(*FOUR)
    for _ in range(9):
        assert watch.look(proved=()) == []
    assert watch.standing.state is WatchState.OPEN


def test_what_was_not_looked_at_changes_nothing() -> None:
    watch = Looking()
    watch.look(*FOUR)
    before = watch.standing
    for outcome in (Outcome.SPARED, Outcome.OURS, Outcome.LIMITED):
        watch.look(shut=outcome)
    assert watch.standing == before
    assert len(watch.look(*FOUR)) == 1


def test_what_was_seen_before_for_somebody_else_is_no_second_success() -> None:
    watch = Looking()
    watch.look(*FOUR)
    watch.now -= timedelta(minutes=1)
    assert watch.look(*FOUR) == []
    assert watch.standing.state is WatchState.WAITING


def test_a_list_that_has_grown_is_waited_for() -> None:
    watch = Looking(doors=tuple(map(door, FOUR[:3])))
    for _ in range(2):
        watch.look(*FOUR)
    assert watch.standing.state is WatchState.OPEN
    watch.doors = tuple(map(door, FOUR))
    assert watch.look(*FOUR[:3]) == []
    assert watch.standing.state is WatchState.WAITING
    watch.look(*FOUR)
    [change] = watch.look(*FOUR)
    assert (change.addresses, change.is_whole) == (FOUR[3:], True)


def waits(standing: Standing, age: timedelta) -> tuple[float, float]:
    """The shortest and the longest wait of a hundred, in seconds."""
    chance = Random(1)
    found = [next_look(standing, standing.began + age, Rhythm(), chance) for _ in range(100)]
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
        shortest, longest = waits(waiting, age)
        assert least <= shortest < longest <= most
    shortest, longest = waits(open_, timedelta(0))
    assert 4 * 3600 <= shortest < longest <= 8 * 3600
    assert next_look(Standing(START, WatchState.EXPIRED), START, Rhythm(), Random(1)) is None


def test_what_is_in_doubt_is_looked_at_soon() -> None:
    watch = Looking()
    watch.look(*FOUR[:1])
    shortest, longest = waits(watch.standing, timedelta(days=3))
    assert 60 <= shortest < longest <= 120
    for _ in range(2):
        watch.look(*FOUR)
    watch.look(*FOUR[1:])
    shortest, longest = waits(watch.standing, timedelta(days=3))
    assert longest <= 120


def test_it_ends() -> None:
    waiting, open_ = Standing(START), Standing(START, WatchState.OPEN)
    for standing, time, state, kind in (
        (waiting, PATIENT, WatchState.EXPIRED, ChangeKind.EXPIRED),
        (open_, KEPT_OPEN, WatchState.ENDED, ChangeKind.ENDED),
    ):
        assert after_time(standing, START + time - timedelta(seconds=1)) == (standing, [])
        ended, [change] = after_time(standing, START + time)
        assert (ended.state, change.kind) == (state, kind)
        assert ended.state.is_end


def test_a_few_doors_at_a_time_until_something_happens() -> None:
    many = tuple(door(f"203.0.113.{n}") for n in range(30))
    watch = Looking(doors=many)
    chance = Random(1)
    looked: set[str] = set()
    for _ in range(5):
        chosen = to_look_at(watch.standing, many, chance)
        assert len(chosen) == QUIET
        looked |= {d.address for d in chosen}
        watch.now += timedelta(minutes=1)
        seen = [watch.seen_of(d, Outcome.SILENT) for d in chosen]
        watch.standing, _ = after_look(watch.standing, many, seen, (), watch.now)
    assert len(looked) == 30
    watch.now += timedelta(minutes=1)
    seen = [watch.seen_of(many[7], Outcome.REACHED)]
    watch.standing, _ = after_look(watch.standing, many, seen, (), watch.now)
    chosen = to_look_at(watch.standing, many, chance)
    assert (len(chosen), chosen[0].address) == (NEWS, many[7].address)
