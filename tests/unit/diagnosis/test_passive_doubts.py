"""What happened anyway and proves no filter: servers that are down, sessions that break, exits of our own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mooring.diagnosis.passive.elsewhere import runs_of
from mooring.diagnosis.passive.history import evidence_of
from mooring.diagnosis.passive.tree import conclude_from_the_past
from mooring.diagnosis.passive.weighing import LEAST
from mooring.diagnosis.types import Outcome, Service
from mooring.diagnosis.verdict.types import Code
from tests.unit.diagnosis.accounts import (
    CALENDARS,
    CANNOT,
    ENDED,
    EXITS,
    FAILING,
    GRANT,
    IN_STEP,
    NOON,
    OPENED,
    OURS,
    PROHIBITED,
    QUESTION,
    REFUSED,
    SILENT,
    STATIC,
    A,
    Case,
    W,
    Y,
    authenticated,
    ended,
    for_minutes,
    retried,
    row,
    unsent,
)

OLD = replace(FAILING, created_at=NOON - timedelta(days=90), synced_at=NOON - timedelta(seconds=40))
"""An account that was read from D for months."""
LOGGED_IN = [*authenticated(), *retried(2, Y, "dynamic", ENDED)]
RAN = [row(-9000, Y, "static", OPENED)]

NEVER_RAISED = {
    "down, and the session was dialled before the ledger begins": (retried(0, Y, "dynamic", SILENT), OLD),
    "down for longer than the ledger goes back": (
        for_minutes(0, Y, "dynamic", SILENT), replace(OLD, synced_at=NOON - timedelta(days=8))),
    "stopped for longer than that, and down when it is started": (
        retried(0, Y, "dynamic", SILENT)[:3], replace(OLD, synced_at=NOON - timedelta(days=20))),
    "down, and up again when S authenticates": ([*retried(0, Y, "dynamic", SILENT), *authenticated(100)], OLD),
    "one silent connection of a new account": ([*authenticated(), row(2, Y, "dynamic", SILENT)], FAILING),
    "two": ([*authenticated(), *retried(2, Y, "dynamic", SILENT)[:2]], FAILING),
    "both families at once": (
        [*authenticated(), row(2, Y, "dynamic", SILENT), row(3, Y, "dynamic", SILENT, remote="2001:db8::7"),
         row(14, Y, "dynamic", SILENT), row(15, Y, "dynamic", SILENT, remote="2001:db8::7")], FAILING),
    "overloaded: now it does not answer, now it does not log in": (
        [*authenticated(), *(row(at, Y, "dynamic", SILENT) for at in (2, 22, 62)),
         *(row(at, Y, "dynamic", ENDED) for at in (12, 38, 102))], FAILING),
    "a static account, one time-out": ([*RAN, row(0, Y, "static", SILENT)], STATIC),
    "a static account, one ICMP message of a router": (
        [*RAN, row(0, Y, "static", {**SILENT, "cause": "unreachable"})], STATIC),
    "a static account, a minute of time-outs": ([*RAN, *retried(0, Y, "static", SILENT)], STATIC),
    "a static account, down for good": ([*RAN, *for_minutes(0, Y, "static", SILENT)], STATIC),
    "IMAP restarts, and a letter went out": (
        [*RAN, row(0, Y, "static", REFUSED), row(5, W, "static", OPENED, 465)], STATIC),
    "IMAP is down, and letters go out": (
        [*RAN, *for_minutes(0, Y, "static", SILENT), *(row(at, W, "static", OPENED, 465) for at in (5, 80, 200))],
        STATIC),
    "a static session breaks at once": (
        [*RAN, row(0, Y, "static", ENDED)], ended("fetch", "timeout", grant=STATIC)),
    "of a host, where nobody was let in from S": (for_minutes(2, Y, "dynamic", SILENT), None),
    "S has another address, and the server goes down": (
        [*(row(-9000 * n, Y, "static", OPENED) for n in (5, 4, 3)), *for_minutes(0, Y, "static-2", SILENT)],
        replace(STATIC, sync_error={**CANNOT, "source": OURS["static-2"]})),
}  # fmt: skip


@pytest.mark.parametrize("name", NEVER_RAISED)
def test_what_is_no_filter_for_sure_is_not_raised_as_one(name: str) -> None:
    entries, grant = NEVER_RAISED[name]
    found = conclude_from_the_past(Case(name, "", Code.NEEDED, entries, grant).evidence()).finding
    assert found.code is not Code.NEEDED
    assert found.confidence < LEAST or found.code in {Code.INCONCLUSIVE, Code.SERVER_DOWN}, found


@pytest.mark.parametrize("sessions", [1, 2, 5])
@pytest.mark.parametrize(
    ("stage", "reason", "said"),
    [
        *((stage, reason, "") for stage in ("login", "list", "fetch") for reason in ("timeout", "closed", "protocol")),
        ("login", "refused", "NO [UNAVAILABLE] Internal error"),
        ("login", "authentication", "NO [UNAVAILABLE] Temporary authentication failure"),
        ("list", "refused", "NO access denied"),
        ("greeting", "refused", "BYE internal server error"),
        ("greeting", "refused", "go away"),
        ("greeting", "closed", ""),
    ],
)
def test_a_session_that_breaks_is_no_filter(sessions: int, stage: str, reason: str, said: str) -> None:
    grant = ended(stage, reason, said)
    found = conclude_from_the_past(Case("", "", Code.NEEDED, LOGGED_IN[: 2 + sessions], grant).evidence()).finding
    assert found.code is Code.INCONCLUSIVE


def test_a_failure_is_of_the_session_that_ended_with_it() -> None:
    entries = [
        *authenticated(),
        row(2, Y, "dynamic", ENDED),
        row(12, Y, "dynamic", ENDED),
        row(30, Y, "dynamic", OPENED),
    ]
    seen = Case("", "", Code.NEEDED, entries, ended("fetch", "closed")).evidence().observations
    assert [o.outcome for o in seen if o.traffic == "sync"] == [Outcome.REACHED, Outcome.FAILED, Outcome.REACHED]
    in_step_since = replace(ended("fetch", "closed"), synced_at=NOON + timedelta(days=2))
    seen = Case("", "", Code.NEEDED, entries, in_step_since).evidence().observations
    assert {o.outcome for o in seen} == {Outcome.REACHED}


def test_letters_that_fail_one_after_the_other_have_each_their_connection() -> None:
    entries = [row(at, W, "dynamic", OPENED, 465) for at in (10, 20, 30)]
    failed = [unsent(at, stage="send", reason="refused", server_said=f"550 5.1.1 {at}") for at in (10, 30)]
    seen = Case("", "", Code.NEEDED, entries, GRANT, failed).evidence().observations
    assert [o.said for o in seen] == ["550 5.1.1 10", "", "550 5.1.1 30"]


def test_an_account_that_was_read_from_static_never_worked_from_dynamic() -> None:
    entries = [row(-9000, Y, "static", OPENED), *for_minutes(0, Y, "dynamic", SILENT)]
    found = conclude_from_the_past(Case("", "", Code.NEEDED, entries, OLD).evidence()).finding
    assert (found.code, found.confidence) == (Code.NEEDED, 0.9)


@pytest.mark.parametrize("calendar_from", [-300, 3])
def test_each_service_is_for_itself(calendar_from: float) -> None:
    """The calendar is open for D, and the mailbox is not; and the other way round."""
    entries = [*authenticated(), *retried(2, Y, "dynamic", SILENT)]
    entries += [row(calendar_from + at, Y, "dynamic", OPENED, 443) for at in (0, 30, 60)]
    case = Case("", "", Code.NEEDED, entries, FAILING, question=CALENDARS)
    found = conclude_from_the_past(case.evidence()).finding
    assert (found.code, found.service) == (Code.NEEDED, Service.IMAP)
    entries = [*authenticated(-5), row(-4, A, "static", OPENED, 443), row(2, Y, "dynamic", OPENED)]
    entries += retried(3, Y, "dynamic", SILENT, 443)
    found = conclude_from_the_past(Case("", "", Code.NEEDED, entries, IN_STEP, question=CALENDARS).evidence()).finding
    assert (found.code, found.service) == (Code.NEEDED, Service.CALDAV)


def test_a_ban_that_does_not_end_is_a_rule() -> None:
    entries = [*for_minutes(0, Y, "dynamic", REFUSED), *authenticated(200)]
    found = conclude_from_the_past(Case("", "", Code.NEEDED, entries, OLD).evidence()).finding
    assert (found.code, found.confidence) == (Code.BANNED, LEAST)
    entries.append(row(4000, Y, "dynamic", REFUSED))
    found = conclude_from_the_past(Case("", "", Code.NEEDED, entries, OLD).evidence()).finding
    assert found.code is Code.NEEDED


def test_our_exits_are_asked_about_as_long_as_they_are_not_answered() -> None:
    entries = [
        *authenticated(), row(1, Y, "dynamic", SILENT), row(2, Y, "dynamic", OPENED),
        *retried(10, Y, "dynamic", SILENT), row(30, A, "static", REFUSED), row(60, A, "static-2", PROHIBITED),
    ]  # fmt: skip
    runs = runs_of(evidence_of(QUESTION, EXITS, entries))
    assert [(r.source, (r.since - NOON).seconds, (r.until - NOON).seconds) for r in runs] == [
        ("static", 30, 30), ("dynamic", 10, 72),
    ]  # fmt: skip
    answered = [*entries, row(80, W, "dynamic", OPENED, 465)]
    assert [r.source for r in runs_of(evidence_of(QUESTION, EXITS, answered))] == ["static"]
