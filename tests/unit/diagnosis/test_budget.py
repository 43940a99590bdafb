"""How gently servers are probed: the rules, without a database."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from mooring.diagnosis.gentle.budget import (
    FLIGHT_S,
    FRESH_S,
    LOCK_OUTS,
    PATIENT_S,
    REFUSED,
    REFUSED_USER,
    REMEMBERED_S,
    SERVER,
    SUSPECT,
    UNANSWERED,
    UNDECIDED_S,
    UNUSED,
    Became,
    Books,
    Choice,
    Fact,
    Key,
    Spent,
    Wish,
    became_of,
    decide,
    fact_of,
    further_became,
)
from mooring.diagnosis.types import Depth, Observation, Outcome, Service, Stage, Step, Vantage

KEY = Key("192.0.2.1", "s1", "imap", 993, "imap.example.test", "")
SMTP = replace(KEY, service="smtp", port=465)
ANN = b"ann"
BOB = b"bob"

SEEN = Observation(
    7, datetime(2026, 1, 31, tzinfo=UTC), Vantage.STATIC, "v3-us-static", "s1", "203.0.113.10", Service.IMAP,
    "imap.example.test", 993, "192.0.2.1", Outcome.REACHED, Stage.CAPABILITY,
    steps=(Step(Stage.CONNECT, 1.0), Step(Stage.GREETING, 2.0), Step(Stage.CAPABILITY, 3.0)), said="* OK",
)  # fmt: skip
SILENCE = msgspec.structs.replace(SEEN, outcome=Outcome.SILENT, stage=Stage.CONNECT, steps=(), said="")


def spent(became: Became, count: int = 1, *, key: Key = KEY, login: bytes | None = None, age_s: float = 60.0) -> Books:
    return Books([Spent(key, login, became, age_s) for _ in range(count)])


def plus(*books: Books) -> Books:
    return Books([s for b in books for s in b.spent], {k: f for b in books for k, f in b.facts.items()})


def known(observation: Observation, age_s: float) -> Books:
    return Books([], {KEY: (Fact(1, observation, age_s),)})


def chosen(books: Books, *wishes: Wish, may_wait: bool = True) -> list[Choice]:
    return [d.choice for d in decide(wishes, books, may_wait=may_wait)]


LOOK, LOOK_AGAIN = Wish(KEY, None), Wish(KEY, None, again=True)
LOGIN, SMTP_LOGIN = Wish(KEY, ANN), Wish(SMTP, ANN)


def test_what_nobody_has_asked_goes() -> None:
    assert chosen(Books([]), LOOK, LOGIN) == [Choice.GO, Choice.GO]


@pytest.mark.parametrize(("age_s", "choice"), [(FRESH_S - 1, Choice.RECALL), (FRESH_S + 1, Choice.GO)])
def test_a_fresh_answer_is_as_good_for_the_next_who_asks(age_s: float, choice: Choice) -> None:
    assert chosen(known(SEEN, age_s), LOOK) == [choice]
    other = Wish(replace(KEY, host="other.example.test"), None)
    assert chosen(known(SEEN, age_s), other, LOGIN, LOOK_AGAIN) == [Choice.GO, Choice.GO, Choice.GO]


def test_what_somebody_else_is_just_asking_is_waited_for() -> None:
    under_way = spent(Became.PENDING, age_s=1)
    assert chosen(under_way, LOOK) == [Choice.WAIT]
    assert chosen(under_way, LOOK, may_wait=False) == [Choice.GO]
    assert chosen(under_way, LOOK_AGAIN) == [Choice.GO]
    assert chosen(spent(Became.PENDING, age_s=FLIGHT_S + 1), LOOK) == [Choice.GO]


def test_connections_without_a_login_are_few_and_those_of_one_reservation_count() -> None:
    assert chosen(Books([]), *[LOOK_AGAIN] * 5) == [Choice.GO] * UNUSED.most + [Choice.SPARE] * (5 - UNUSED.most)
    enough = spent(Became.ACCEPTED, UNUSED.most)
    assert chosen(enough, LOOK, LOGIN, Wish(SMTP, None)) == [Choice.SPARE, Choice.GO, Choice.GO]
    assert chosen(spent(Became.ACCEPTED, UNUSED.most, age_s=UNUSED.within_s + 1), LOOK) == [Choice.GO]
    elsewhere = replace(KEY, source="s2")
    assert chosen(enough, Wish(elsewhere, None)) == [Choice.GO]


def test_a_memory_answers_what_may_not_be_asked_unless_it_would_count_twice() -> None:
    enough = plus(spent(Became.ACCEPTED, UNUSED.most), known(SEEN, REMEMBERED_S - 1))
    assert chosen(enough, LOOK, LOOK_AGAIN) == [Choice.RECALL, Choice.SPARE]
    assert chosen(plus(enough, known(SEEN, REMEMBERED_S)), LOOK) == [Choice.SPARE]


def test_of_a_probe_that_was_to_log_in_only_a_failure_is_remembered() -> None:
    enough = spent(Became.UNANSWERED, UNANSWERED.most)
    assert chosen(plus(enough, known(SEEN, 60)), LOGIN) == [Choice.SPARE]
    assert chosen(plus(enough, known(SILENCE, 60)), LOGIN) == [Choice.RECALL]


def test_silence_may_be_met_more_often() -> None:
    assert chosen(spent(Became.UNANSWERED, UNANSWERED.most - 1), LOOK_AGAIN, LOOK_AGAIN) == [Choice.GO, Choice.GO]
    assert chosen(spent(Became.UNANSWERED, UNANSWERED.most), LOOK) == [Choice.SPARE]
    slow = spent(Became.PENDING, UNUSED.most - 1, age_s=UNDECIDED_S + 1)
    assert chosen(slow, LOOK_AGAIN, LOOK_AGAIN, LOOK_AGAIN, may_wait=False) == [Choice.GO, Choice.GO, Choice.SPARE]


def test_a_server_has_so_many_in_all() -> None:
    many = Books([Spent(replace(KEY, source=f"x{n}"), None, Became.LOGGED_IN, 60) for n in range(SERVER.most)])
    assert chosen(many, LOOK, Wish(replace(KEY, server="192.0.2.2"), None)) == [Choice.SPARE, Choice.GO]


def test_a_source_that_was_told_to_stop_stops_at_every_service() -> None:
    told = spent(Became.LIMITED)
    other = replace(KEY, source="s2")
    assert chosen(told, LOOK, LOGIN, Wish(SMTP, None), Wish(other, None)) == [
        Choice.SPARE, Choice.SPARE, Choice.SPARE, Choice.GO,
    ]  # fmt: skip


def test_refused_logins_and_connections_without_one_stay_below_a_ban() -> None:
    refused = spent(Became.REFUSED, 1, login=BOB)
    books = plus(refused, spent(Became.ACCEPTED, 2))
    assert chosen(books, LOOK_AGAIN, LOOK_AGAIN) == [Choice.GO, Choice.SPARE]
    assert chosen(plus(books, spent(Became.ACCEPTED)), LOGIN) == [Choice.SPARE]
    assert chosen(spent(Became.LOGGED_IN, 30, login=BOB), LOOK, LOGIN) == [Choice.GO, Choice.GO]


def test_the_rules_are_below_every_lock_out() -> None:
    for lock_out in LOCK_OUTS:
        if lock_out.unused is not None:
            assert SUSPECT.most < lock_out.unused
            assert SUSPECT.within_s >= lock_out.within_s
        if lock_out.refused is not None:
            assert SUSPECT.most < lock_out.refused
            assert REFUSED_USER.most < lock_out.refused
            assert REFUSED_USER.within_s >= lock_out.within_s
        if lock_out.at_once is not None:
            assert UNUSED.most < lock_out.at_once


def test_one_wrong_password_leaves_room_for_another_and_no_more() -> None:
    first = plus(spent(Became.REFUSED, login=ANN), spent(Became.REFUSED, login=ANN, key=SMTP))
    assert chosen(first, LOGIN, SMTP_LOGIN, Wish(KEY, BOB)) == [Choice.GO, Choice.GO, Choice.GO]
    second = plus(first, first)
    assert chosen(second, LOGIN, SMTP_LOGIN, Wish(KEY, BOB)) == [Choice.SPARE, Choice.SPARE, Choice.GO]
    later = replace_ages(second, REFUSED.within_s + 1)
    assert chosen(later, LOGIN, SMTP_LOGIN) == [Choice.GO, Choice.GO]
    again = plus(second, spent(Became.LOGGED_IN, login=ANN, age_s=1))
    assert chosen(again, SMTP_LOGIN) == [Choice.GO]


def test_who_logs_in_waits_for_what_others_have_under_way_before_he_is_spared() -> None:
    under_way = spent(Became.PENDING, SUSPECT.most, login=BOB, age_s=1)
    assert chosen(under_way, LOGIN) == [Choice.WAIT]
    assert chosen(under_way, replace(LOGIN, again=True)) == [Choice.WAIT]
    assert chosen(under_way, replace(LOGIN, again=True, since_s=PATIENT_S)) == [Choice.SPARE]
    assert chosen(under_way, LOGIN, may_wait=False) == [Choice.SPARE]
    assert chosen(plus(under_way, spent(Became.ACCEPTED, SUSPECT.most)), LOGIN) == [Choice.SPARE]


def test_who_asks_again_waits_for_what_is_not_decided_yet_before_he_is_spared() -> None:
    under_way = spent(Became.PENDING, UNUSED.most, age_s=1)
    assert chosen(under_way, LOOK_AGAIN) == [Choice.WAIT]
    assert chosen(under_way, replace(LOOK_AGAIN, since_s=PATIENT_S)) == [Choice.SPARE]
    assert chosen(under_way, LOOK_AGAIN, may_wait=False) == [Choice.SPARE]
    assert chosen(spent(Became.PENDING, UNUSED.most, age_s=UNDECIDED_S + 1), LOOK_AGAIN) == [Choice.GO]
    assert chosen(spent(Became.UNANSWERED, UNUSED.most), LOOK_AGAIN) == [Choice.GO]
    assert chosen(plus(under_way, spent(Became.ACCEPTED, UNUSED.most)), LOOK_AGAIN) == [Choice.SPARE]


def test_what_only_this_reservation_makes_too_many_is_not_waited_for() -> None:
    silent = spent(Became.PENDING, age_s=UNDECIDED_S + 1)
    assert chosen(silent, *[LOOK_AGAIN] * (UNUSED.most + 1)) == [Choice.GO] * UNUSED.most + [Choice.SPARE]


def test_what_was_seen_for_somebody_else_meanwhile_is_not_waited_for_and_one_s_own_is_no_answer() -> None:
    seen = Books(spent(Became.PENDING, UNUSED.most, age_s=1).spent, {KEY: (Fact(8, SILENCE, 1), Fact(7, SILENCE, 2))})
    assert chosen(seen, LOOK_AGAIN, LOOK_AGAIN, LOOK_AGAIN) == [Choice.RECALL, Choice.RECALL, Choice.WAIT]
    mine = replace(LOOK_AGAIN, had=frozenset({8}))
    decisions = decide([mine, mine], seen, may_wait=False)
    assert [(d.choice, d.recalled and d.recalled.id) for d in decisions] == [(Choice.RECALL, 7), (Choice.SPARE, None)]


@pytest.mark.parametrize(
    ("service", "became", "further"),
    [
        (Service.CALDAV, Became.LOGGED_IN, Became.LOGGED_IN),
        (Service.CALDAV, Became.ACCEPTED, Became.ACCEPTED),
        (Service.CALDAV, Became.REFUSED, Became.ACCEPTED),
        (Service.IMAP, Became.LOGGED_IN, Became.ACCEPTED),
    ],
)
def test_what_further_connections_count_as(service: Service, became: Became, further: Became) -> None:
    assert further_became(service, became) is further


def replace_ages(books: Books, age_s: float) -> Books:
    return Books([replace(s, age_s=age_s) for s in books.spent])


def test_the_pair_of_one_diagnosis_goes_together() -> None:
    other_source = Wish(replace(KEY, source="d1"), ANN)
    assert chosen(Books([]), other_source, LOGIN, SMTP_LOGIN) == [Choice.GO] * 3


def test_who_logs_the_same_user_in_waits_for_what_becomes_of_the_others() -> None:
    refused = spent(Became.REFUSED, login=ANN)
    trying = plus(refused, spent(Became.PENDING, login=ANN, age_s=1))
    assert chosen(trying, LOGIN) == [Choice.WAIT]
    assert chosen(trying, LOGIN, may_wait=False) == [Choice.SPARE]
    good = plus(spent(Became.PENDING, 8, login=ANN, age_s=1), spent(Became.LOGGED_IN, login=ANN, age_s=5))
    assert chosen(replace_sources(good), LOGIN, SMTP_LOGIN) == [Choice.GO, Choice.GO]


def replace_sources(books: Books) -> Books:
    return Books([replace(s, key=replace(s.key, source=f"x{n}")) for n, s in enumerate(books.spent)])


def observed(outcome: Outcome, stage: Stage, *passed: Stage, depth: Depth = Depth.FULL) -> Observation:
    steps = tuple(Step(s, 1.0) for s in passed)
    return msgspec.structs.replace(SEEN, outcome=outcome, stage=stage, steps=steps, depth=depth, said="for ann")


ANONYMOUS = (Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY)


@pytest.mark.parametrize(
    ("observation", "became"),
    [
        (observed(Outcome.OURS, Stage.CONNECT), None),
        (observed(Outcome.SPARED, Stage.CONNECT), None),
        (observed(Outcome.SPARED, Stage.LOGIN, *ANONYMOUS), Became.ACCEPTED),
        (observed(Outcome.SILENT, Stage.CONNECT), Became.UNANSWERED),
        (observed(Outcome.REJECTED, Stage.CONNECT), Became.UNANSWERED),
        (observed(Outcome.CLOSED, Stage.GREETING, Stage.CONNECT), Became.ACCEPTED),
        (observed(Outcome.LIMITED, Stage.GREETING, Stage.CONNECT), Became.LIMITED),
        (observed(Outcome.CREDENTIALS, Stage.LOGIN, *ANONYMOUS), Became.REFUSED),
        (observed(Outcome.POLICY, Stage.RECIPIENT, *ANONYMOUS, Stage.LOGIN), Became.LOGGED_IN),
        (observed(Outcome.REACHED, Stage.LIST, *ANONYMOUS, Stage.LOGIN, Stage.LIST), Became.LOGGED_IN),
    ],
)
def test_what_a_connection_counts_as(observation: Observation, became: Became | None) -> None:
    assert became_of(observation) is became


def test_what_is_kept_holds_nothing_of_a_user() -> None:
    for observation in (
        observed(Outcome.CREDENTIALS, Stage.LOGIN, *ANONYMOUS),
        observed(Outcome.POLICY, Stage.RECIPIENT, *ANONYMOUS, Stage.LOGIN),
        observed(Outcome.REACHED, Stage.LIST, *ANONYMOUS, Stage.LOGIN, Stage.LIST),
    ):
        fact = fact_of(observation)
        assert fact is not None
        assert (fact.outcome, fact.stage, fact.depth) == (Outcome.REACHED, Stage.CAPABILITY, Depth.GREETING)
        assert (fact.passed, fact.said, fact.probe) == (ANONYMOUS, "", 0)
    policy = fact_of(observed(Outcome.POLICY, Stage.GREETING, Stage.CONNECT, depth=Depth.GREETING))
    assert policy is not None
    assert (policy.outcome, policy.said) == (Outcome.POLICY, "for ann")
    assert fact_of(msgspec.structs.replace(SEEN, remembered=True)) is None
    assert fact_of(observed(Outcome.OURS, Stage.CONNECT)) is None
    assert fact_of(observed(Outcome.CREDENTIALS, Stage.LOGIN)) is None
