"""The article's tree S16 to S21, from rows of the ledger and what a grant tells to what is concluded."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mooring.config import Kind
from mooring.diagnosis.passive.history import evidence_of
from mooring.diagnosis.passive.tree import ROWS, conclude_from_the_past
from mooring.diagnosis.types import Outcome, Stage
from mooring.diagnosis.verdict.types import Code, Reader
from mooring.diagnosis.verdict.words import verdict_of
from tests.unit.diagnosis.accounts import (
    BAD_CERTIFICATE,
    ENDED,
    EXITS,
    FAILING,
    GRANT,
    IN_STEP,
    INTERNAL,
    NO_NAME,
    NOON,
    OPENED,
    PROHIBITED,
    QUESTION,
    READ,
    REFUSED,
    SILENT,
    STATIC,
    UNPLUMBED,
    A,
    Case,
    L,
    W,
    Y,
    authenticated,
    controls,
    ended,
    for_minutes,
    refused_login,
    retried,
    row,
    unsent,
)

CASES = (
    Case("the name leads nowhere", "s16_name", Code.WRONG_HOST, [row(0, A, "static", NO_NAME)], least=0.9),
    Case("the name leads inside", "s16_name", Code.INTERNAL_HOST, [row(0, A, "static", INTERNAL)], least=0.9),
    Case("the certificate", "s16_settings", Code.CERTIFICATE, [row(0, A, "static", BAD_CERTIFICATE)], least=0.9),
    Case("clear text on 993", "s16_settings", Code.WRONG_TLS_MODE,
         [row(0, A, "static", {**BAD_CERTIFICATE, "cause": "not_tls"})]),
    Case("the certificate was renewed", "s19_refused", Code.WRONG_CREDENTIALS,
         [row(0, A, "static", BAD_CERTIFICATE), row(60, A, "static", OPENED)]),
    Case("nothing answers", "s16_nothing_answers", Code.SERVER_DOWN, retried(0, A, "static", SILENT), most=0.6),
    Case("nothing listens", "s16_nothing_answers", Code.SERVER_DOWN, retried(0, A, "static", REFUSED), most=0.6),
    Case("prohibited", "s17_not_allowed", Code.ALLOWLIST_MISSING, [row(0, A, "static", PROHIBITED)], least=0.85),
    Case("it let us in before", "s17_not_allowed", Code.ALLOWLIST_MISSING,
         [row(-9000, A, "static", OPENED), *for_minutes(0, A, "static", SILENT)], most=0.59),
    Case("it lets others in", "s17_not_allowed", Code.ALLOWLIST_MISSING,
         [*retried(0, A, "static", SILENT), row(30, Y, "dynamic", OPENED)], least=0.7),
    Case("IMAP only", "s17_not_allowed", Code.ALLOWLIST_PARTIAL,
         [r for n in (0, 100, 200) for r in (row(n, A, "static", OPENED), row(n + 1, A, "static", SILENT, 465))]),
    Case("one address of two", "s17_part_of_the_list", Code.ALLOWLIST_PARTIAL,
         [r for n in (0, 100, 200, 300) for r in (row(n, A, "static-2", SILENT), row(n + 50, A, "static", OPENED))],
         least=0.9),
    Case("let in, and no grant comes of it", "s19_refused", Code.WRONG_CREDENTIALS,
         [row(0, A, "static", OPENED), row(60, A, "static", OPENED)], most=0.6),
    Case("wrong password, from static", "s19_refused", Code.WRONG_CREDENTIALS,
         [*authenticated(), row(60, Y, "static", ENDED)],
         replace(refused_login("static"), environment=Kind.STATIC, synced_at=NOON + timedelta(seconds=30)), least=0.8),
    Case("S18", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], FAILING, least=0.8, most=0.9),
    Case("S18, refused", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *for_minutes(2, Y, "dynamic", REFUSED)], FAILING, least=0.9, most=0.9),
    Case("S18, prohibited at once", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), row(2, Y, "dynamic", PROHIBITED)], FAILING, least=0.9),
    Case("S18, and authenticated again meanwhile", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *for_minutes(2, Y, "dynamic", SILENT), *authenticated(100)], FAILING, least=0.95),
    Case("S18, and authenticated again since", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT), *authenticated(100)], FAILING, least=0.9, most=0.9),
    Case("S18, live reads alone", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, L, "dynamic", SILENT)], GRANT, least=0.8),
    Case("S18, authenticated longer ago than the ledger knows", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         retried(9000, Y, "dynamic", SILENT), FAILING, most=0.9),
    Case("S18, of a host, over all accounts", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], least=0.8),
    Case("S18, a static account beside it", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT), *retried(3, Y, "static", OPENED)], least=0.95),
    Case("one failure only", "too_little", Code.INCONCLUSIVE,
         [row(0, A, "static", OPENED), row(2, Y, "dynamic", SILENT)], FAILING),
    Case("it worked for weeks, and is down", "too_little", Code.INCONCLUSIVE,
         [*authenticated(), row(10, Y, "dynamic", OPENED), *retried(9000, Y, "dynamic", SILENT)],
         replace(FAILING, synced_at=NOON + timedelta(hours=2))),
    Case("a new rule", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), row(10, Y, "dynamic", OPENED), *for_minutes(9000, Y, "dynamic", SILENT),
          *authenticated(9110), row(12700, Y, "dynamic", SILENT)],
         replace(FAILING, synced_at=NOON + timedelta(hours=2)), least=0.8, most=0.8),
    Case("a ban", "s18_objects_cannot_be_retrieved", Code.BANNED,
         [*authenticated(), row(10, Y, "dynamic", OPENED), *for_minutes(900, Y, "dynamic", REFUSED),
          *authenticated(1010)],
         replace(FAILING, synced_at=NOON + timedelta(minutes=10)), most=0.6),
    Case("allow_nets", "s18_password_is_a_filter", Code.FILTER_DISGUISED_AS_WRONG_PASSWORD,
         [*authenticated(), row(2, Y, "dynamic", ENDED)], refused_login("dynamic"), least=0.8),
    Case("greeted with a no", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", ENDED)], ended("greeting", "refused", "Access denied"),
         least=0.85),
    Case("S20, time-out", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, *(row(at, W, "dynamic", SILENT, 465) for at in (70, 200))], IN_STEP, least=0.85),
    Case("S20, refused", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, *(row(at, W, "dynamic", REFUSED, 465) for at in (70, 200))], IN_STEP,
         least=0.7, most=0.8),
    Case("S20, one letter", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(70, W, "dynamic", SILENT, 465)], IN_STEP, most=0.59),
    Case("S20, and nothing shows that our exit works", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, *(row(at, W, "dynamic", SILENT, 465) for at in (70, 200))], IN_STEP, most=0.59,
         controls=controls(None)),
    Case("S20, long after anybody was let in", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, *(row(at, W, "dynamic", SILENT, 465) for at in (9000, 9200))], IN_STEP, most=0.59),
    Case("S20, it sent before", "too_little", Code.INCONCLUSIVE,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465), row(200, W, "dynamic", SILENT, 465),
          row(300, W, "dynamic", SILENT, 465)], IN_STEP),
    Case("S20, it sent before, and has a rule now", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465), row(200, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(199, stage="send", reason="refused", server_said="554 5.7.1 Client host rejected")],
         least=0.6, most=0.6),
    Case("S20, for what the letter says", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(91, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(91, stage="send", reason="refused", server_said="550 5.7.1 Message refused as spam")], most=0.59),
    Case("S20, by policy at RCPT", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(69, stage="send", reason="refused", server_said="554 5.7.1 Client host rejected: Access denied")],
         least=0.85),
    Case("S20, no such recipient", "s20_refused_for_another_reason", Code.NOT_NEEDED,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(69, stage="send", reason="refused", server_said="550 5.1.1 No such user")]),
    Case("S20, another password for sending", "s20_refused_for_another_reason", Code.WRONG_CREDENTIALS,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(69, stage="login", reason="authentication", server_said="535 5.7.8 no")], most=0.6),
    Case("S21", "s21_all_works", Code.NOT_NEEDED,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP, least=0.95),
    Case("S21, nothing sent yet", "s21_all_works", Code.NOT_NEEDED, [*authenticated(), *READ], IN_STEP, least=0.9),
    Case("S21, after an outage", "s21_all_works", Code.NOT_NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT), row(300, Y, "dynamic", OPENED)], IN_STEP),
    Case("S21, already on", "s21_already_on", Code.INCONCLUSIVE,
         [*authenticated(), row(60, Y, "static", OPENED)], replace(IN_STEP, environment=Kind.STATIC)),
    Case("our exit", "our_own_exit", Code.OWN_EXIT_BROKEN,
         [*authenticated(), *retried(2, Y, "dynamic", UNPLUMBED)], FAILING, least=0.9),
    Case("our exit is well again", "s21_all_works", Code.NOT_NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", UNPLUMBED), row(300, Y, "dynamic", OPENED)], IN_STEP),
    Case("our exit is answered by nobody", "our_own_exit", Code.OWN_EXIT_BROKEN,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], FAILING, least=0.9, controls=controls(False, "none")),
    Case("our exit may be answered by nobody", "our_own_exit", Code.OWN_EXIT_BROKEN,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], FAILING, most=0.59, controls=controls(None, "none")),
    Case("our static exit is answered by nobody", "our_own_exit", Code.OWN_EXIT_BROKEN,
         [row(-9000, Y, "static", OPENED), *for_minutes(0, Y, "static", REFUSED)], STATIC, least=0.9,
         controls=controls(False, "none")),
    Case("nothing shows that our exit works", "too_little", Code.INCONCLUSIVE,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], FAILING, controls=controls(None)),
    Case("nothing shows that our static exit works", "s16_nothing_answers", Code.SERVER_DOWN,
         [row(-9000, Y, "static", OPENED), *for_minutes(0, Y, "static", SILENT)], STATIC, most=0.59,
         controls=controls(None)),
    Case("our exit is answered at another port", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT), row(30, W, "dynamic", OPENED, 465)], FAILING, least=0.8,
         controls=controls(None)),
    Case("nothing happened", "too_little", Code.INCONCLUSIVE, [], GRANT),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_concluded(case: Case) -> None:
    evidence = case.evidence()
    conclusion = conclude_from_the_past(evidence)
    found = conclusion.finding
    assert (found.row, found.code) == (case.row, case.code)
    assert case.least <= found.confidence <= case.most
    verdict = verdict_of(evidence, conclusion)
    assert verdict.summary
    assert all(verdict.next_steps[reader] for reader in Reader)
    assert any("nothing was dialled" in caveat for caveat in verdict.caveats)
    assert set(verdict.proof) <= {o.probe for o in evidence.observations}


def test_every_row_has_its_case() -> None:
    assert {c.row for c in CASES} == {r.__name__ for r in ROWS}


def test_the_rows_are_named_as_the_article_is_numbered() -> None:
    named = {r.__name__[:3] for r in ROWS} - {"our", "too"}
    assert named == {"s16", "s17", "s18", "s19", "s20", "s21"}


def test_the_administrator_is_told_what_to_look_for() -> None:
    case = next(c for c in CASES if c.name == "S18")
    evidence = case.evidence()
    steps = verdict_of(evidence, conclude_from_the_past(evidence)).next_steps[Reader.MAIL_ADMINISTRATOR]
    assert any("2026-01-31 12:01:04 UTC: TCP from 192.0.2.20" in s for s in steps), steps
    assert any(s.startswith("To see it on the wire") for s in steps)
    assert not any("203.0.113.99" in s for s in steps)


def test_what_a_row_of_the_ledger_says() -> None:
    entries = [
        row(0, A, "static", OPENED),
        row(1, Y, "dynamic", PROHIBITED),
        row(2, Y, "dynamic", {"outcome": "failed", "phase": "tls", "cause": "timeout", "connect_ms": 3.0}),
        row(3, Y, "dynamic", {"outcome": "failed", "phase": "connect", "cause": "cancelled"}),
        row(4, Y, "dynamic", {"outcome": "not_dialled", "cause": "busy"}),
        row(5, Y, "dynamic", OPENED, port=995),
        row(6, Y, "dynamic", OPENED, environment="v3-eu-dynamic"),
        row(7, Y, "dynamic", OPENED, environment="webhook-us-static"),
    ]
    seen = evidence_of(QUESTION, EXITS, entries).observations
    assert [(o.probe, o.outcome, o.stage, o.traffic) for o in seen] == [
        (1, Outcome.REACHED, Stage.TLS, "auth"),
        (2, Outcome.PROHIBITED, Stage.CONNECT, "sync"),
        (3, Outcome.MUTE, Stage.TLS, "sync"),
    ]
    assert [s.stage for s in seen[0].steps] == [Stage.CONNECT, Stage.TLS]
    assert seen[1].icmp is not None
    assert seen[1].icmp.sender == "198.51.100.1"


def test_what_the_server_said_is_laid_over_the_connection_that_ended_so() -> None:
    entries = [
        *authenticated(), row(60, W, "dynamic", OPENED, 465), row(90, W, "dynamic", OPENED, 465),
        row(200, W, "dynamic", OPENED, 465),
    ]  # fmt: skip
    said = unsent(91, stage="send", reason="refused", server_said="550 5.1.1 No such user")
    seen = evidence_of(QUESTION, EXITS, entries, grant=GRANT, failed=[said]).observations
    assert [o.outcome for o in seen if o.traffic == "send"] == [Outcome.REACHED, Outcome.FAILED, Outcome.REACHED]
    assert seen[3].said == "550 5.1.1 No such user"
