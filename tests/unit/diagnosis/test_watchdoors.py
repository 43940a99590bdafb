"""The doors of a watch: what a lookup adds and takes away, and which of them a look tries."""

from datetime import timedelta
from random import Random

from mooring.diagnosis.types import Exit, Lookup, Outcome, Vantage
from mooring.diagnosis.watches.doors import GONE, Door, doors_now
from mooring.diagnosis.watches.rules import (
    NEWS,
    QUIET,
    Look,
    WatchState,
    after_look,
    to_look_at,
)
from tests.unit.diagnosis.watching import (
    FOUR,
    IMAP_HOST,
    IMAP_TARGET,
    NODE,
    NODE6,
    OTHER_NODE,
    SIX,
    SMTP,
    SMTP_HOST,
    SMTP_TARGET,
    START,
    UNHEARD,
    Watching,
    told,
)


def test_a_name_that_is_not_looked_up_once_opens_nothing_and_closes_nothing() -> None:
    watch = Watching(targets=(IMAP_TARGET, SMTP_TARGET))
    watch.admit(*FOUR, at=(NODE,))
    watch.look(5)
    good = watch.names[SMTP_HOST]
    watch.names[SMTP_HOST] = UNHEARD
    before = [door for door in watch.standing.doors if door.service is SMTP]
    watch.look(9)
    assert [door for door in watch.standing.doors if door.service is SMTP] == before
    assert (watch.state, watch.changes, len(watch.standing.addresses)) == (WatchState.WAITING, [], 4)
    watch.names[SMTP_HOST] = good
    watch.look(5)
    assert (watch.state, watch.changes) == (WatchState.WAITING, [])
    watch.admit(*FOUR)
    assert told(watch.look(2)) == [("opened", FOUR, 4, 4)]


def test_a_name_that_was_never_looked_up_is_waited_for() -> None:
    watch = Watching(targets=(IMAP_TARGET, SMTP_TARGET))
    watch.names[SMTP_HOST] = UNHEARD
    watch.admit(*FOUR)
    assert watch.look(5) == []
    assert watch.state is WatchState.WAITING


def test_where_all_is_open_a_name_that_is_not_looked_up_leaves_it_open_and_shows_no_password() -> None:
    watch = Watching(targets=(IMAP_TARGET, SMTP_TARGET))
    watch.open_up()
    assert watch.standing.may_connect
    good = watch.names[SMTP_HOST]
    watch.names[SMTP_HOST] = UNHEARD
    assert watch.look() == []
    assert (watch.state, watch.standing.may_connect) == (WatchState.OPEN, False)
    watch.names[SMTP_HOST] = good
    assert watch.look(5) == []
    assert watch.standing.may_connect


def test_an_answer_without_ipv6_takes_no_door_away_until_it_is_repeated() -> None:
    both = Lookup(IMAP_HOST, (NODE, NODE6))
    watch = Watching(ours=(*FOUR[:2], SIX))
    watch.names[IMAP_HOST] = both
    watch.open_up()
    for _ in range(3):
        watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE,))
        assert watch.look(GONE - 1) == []
        assert (watch.state, len(watch.standing.addresses), watch.standing.may_connect) == (WatchState.OPEN, 3, False)
        watch.names[IMAP_HOST] = both
        assert watch.look() == []
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE,))
    assert watch.look(GONE) == []
    assert (watch.state, list(watch.standing.addresses)) == (WatchState.OPEN, list(FOUR[:2]))


def test_nothing_opens_while_ipv6_is_missing() -> None:
    watch = Watching(ours=(*FOUR[:2], SIX))
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE, NODE6))
    watch.admit(SIX)
    assert told(watch.look(2)) == [("opened", (SIX,), 1, 3)]
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE,))
    watch.admit(*FOUR[:2])
    assert watch.look(GONE - 1) == []
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE, NODE6))
    watch.admit(*watch.ours)
    assert told(watch.look()) == [("opened", FOUR[:2], 3, 3)]


def test_every_address_of_the_server_has_to_let_us_in() -> None:
    watch = Watching()
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE, OTHER_NODE))
    watch.admit(*FOUR, at=(NODE,))
    assert watch.look(6) == []
    assert {(door.server, door.is_open) for door in watch.standing.doors} == {(NODE, True), (OTHER_NODE, False)}
    watch.admit(*FOUR)
    assert told(watch.look(2)) == [("opened", FOUR, 4, 4)]


def test_a_name_that_turns_round_leads_to_the_same_doors_whatever_comes_first() -> None:
    watch, chance = Watching(), Random(5)
    watch.admit(*FOUR, at=(NODE,))
    for _ in range(300):
        watch.names[IMAP_HOST] = Lookup(IMAP_HOST, tuple(chance.sample([NODE, OTHER_NODE], 2)))
        watch.look()
    assert watch.changes == []
    assert watch.standing.began == START


def test_a_name_that_leads_to_another_address_each_time_is_opened_all_the_same() -> None:
    watch = Watching(lets_in=lambda _: True)
    for n in range(40):
        watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (f"198.51.100.{n}",))
        watch.look()
    assert told(watch.changes) == [("opened", FOUR, 4, 4)]
    assert len({door.server for door in watch.standing.doors}) <= 3


def test_a_server_that_has_left_an_address_is_not_closed_for_its_silence() -> None:
    watch = Watching()
    watch.open_up()
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (OTHER_NODE,))
    watch.admit(*FOUR, at=(OTHER_NODE,))
    assert watch.look(12) == []
    assert {door.server for door in watch.standing.doors} == {OTHER_NODE}
    assert watch.standing.may_connect


def test_a_closed_node_that_leaves_is_told_as_open_once_it_is_sure() -> None:
    watch = Watching()
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE, OTHER_NODE))
    watch.admit(*FOUR, at=(NODE,))
    watch.look(4)
    watch.names[IMAP_HOST] = Lookup(IMAP_HOST, (NODE,))
    assert watch.look(GONE - 1) == []
    assert told(watch.look()) == [("opened", FOUR, 4, 4)]


def look_at_some(watch: Watching, chance: Random) -> list[Door]:
    """One look at those that it is the turn of; returns them."""
    watch.now += timedelta(minutes=1)
    exits = [Exit(Vantage.STATIC, "v3-us-static", f"s-{a}", a) for a in watch.ours]
    doors = doors_now(watch.standing.doors, exits, watch.targets, {IMAP_HOST: watch.names[IMAP_HOST]})
    chosen = to_look_at(watch.standing, doors.to_try, watch.now, chance)
    seen = [watch.seen_of(door) for door in chosen]
    tried = {door.key for door in chosen}
    watch.standing, changes = after_look(watch.standing, Look(watch.now, doors, tried, seen, watch.ours))
    watch.changes += changes
    return chosen


def test_a_few_doors_at_a_time_until_something_happens() -> None:
    many = tuple(f"203.0.113.{n}" for n in range(30))
    watch, chance = Watching(ours=many), Random(1)
    looked: set[str] = set()
    for _ in range(5):
        chosen = look_at_some(watch, chance)
        assert len(chosen) == QUIET
        looked |= {door.address for door in chosen}
    assert looked == set(many)
    watch.admit(many[7])
    while not any(door.run > 0 for door in watch.standing.doors):
        look_at_some(watch, chance)
    chosen = look_at_some(watch, chance)
    assert (len(chosen), chosen[0].address) == (NEWS, many[7])


def test_exits_that_cannot_be_used_keep_no_others_waiting() -> None:
    many = tuple(f"203.0.113.{n}" for n in range(2 * QUIET))
    watch, chance = Watching(ours=many), Random(1)
    watch.lets_in = lambda door: Outcome.OURS if door.address in many[:QUIET] else True
    for _ in range(8):
        look_at_some(watch, chance)
    assert watch.standing.open_addresses == list(many[QUIET:])
