"""The article's tree S16 to S21, from rows of the ledger and what a grant tells to what is concluded."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mooring.config import Generation, Kind
from mooring.diagnosis.passive.history import Failed, evidence_of, failure_of
from mooring.diagnosis.passive.tree import ROWS, conclude_from_the_past
from mooring.diagnosis.types import Evidence, Exit, Outcome, Question, Service, Stage, Target, Vantage
from mooring.diagnosis.verdict.types import Code, Reader
from mooring.diagnosis.verdict.words import verdict_of
from mooring.egress import LedgerEntry, Traffic
from mooring.grants import Grant, GrantStatus, Server, Settings

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOST = "mail.example.com"
ADDRESS = "198.51.100.7"
OURS = {"static": "203.0.113.10", "static-2": "203.0.113.11", "dynamic": "192.0.2.20"}
EXITS = (
    Exit(Vantage.STATIC, "v3-us-static", "static", OURS["static"]),
    Exit(Vantage.STATIC, "v3-us-static", "static-2", OURS["static-2"]),
    Exit(Vantage.DYNAMIC, "v3-us-dynamic", "dynamic", OURS["dynamic"]),
    Exit(Vantage.OTHER_REGION, "v3-eu-static", "eu", "203.0.113.99"),
)
QUESTION = Question(
    "app", "v3", "us", "subject", (Target(Service.IMAP, HOST, 993), Target(Service.SMTP, HOST, 465)), passive=True
)

OPENED = {"outcome": "opened", "tls_ms": 20.0, "connect_ms": 10.0, "local": "203.0.113.10:40000"}
SILENT = {"outcome": "failed", "phase": "connect", "cause": "timeout"}
REFUSED = {"outcome": "failed", "phase": "connect", "cause": "refused"}
PROHIBITED = {"outcome": "failed", "phase": "connect", "cause": "unreachable",
              "detail": "No route to host (ICMP 3/13 from 198.51.100.1)"}  # fmt: skip
UNPLUMBED = {"outcome": "not_dialled", "cause": "unplumbed", "detail": "203.0.113.10 is not an address of this host"}
NO_NAME = {"outcome": "failed", "phase": "resolve", "cause": "name_not_found", "remote": "", "source": ""}
INTERNAL = {"outcome": "not_dialled", "cause": "target_not_allowed", "remote": "", "source": ""}
BAD_CERTIFICATE = {"outcome": "failed", "phase": "tls", "cause": "certificate", "detail": "certificate has expired"}


def row(
    after_s: float, traffic: Traffic, source: str, how: dict[str, Any], port: int = 993, **more: Any
) -> LedgerEntry:
    """A connection that was begun so many seconds after noon."""
    fields: dict[str, Any] = {
        "id": f"00000000-0000-0000-0000-{int(after_s * 10) + 10**9:012d}", "at": NOON + timedelta(seconds=after_s),
        "application_id": "app", "grant_id": "", "traffic": str(traffic),
        "environment": f"v3-us-{source[:7].rstrip('-')}", "source": source,
        "source_address": OURS.get(source, ""), "via": "bind", "reason": "because", "host": HOST,
        "port": port, "remote": ADDRESS, "local": "", "outcome": "", "phase": "", "cause": "", "detail": "",
        "resolve_ms": None, "connect_ms": None, "tls_ms": None, "closed_at": None,
    }  # fmt: skip
    return LedgerEntry(**{**fields, **how, **more})


def authenticated(after_s: float = 0) -> list[LedgerEntry]:
    return [row(after_s, Traffic.AUTH, "static", OPENED), row(after_s + 1, Traffic.AUTH, "static", OPENED, 465)]


def retried(start_s: float, traffic: Traffic, source: str, how: dict[str, Any], port: int = 993) -> list[LedgerEntry]:
    """As the worker does: 2, 4, 8, … seconds between time-outs of 8."""
    return [row(start_s + at, traffic, source, how, port) for at in (0, 10, 22, 38, 62)]


GRANT = Grant(
    id="g", application_id="app", generation=Generation.V3, region="us", feature_on=False, provider="imap",
    email="ann@example.com", mail_domain="example.com", subject="subject", environment=Kind.DYNAMIC,
    status=GrantStatus.VALID, settings=Settings(Server(HOST, 993, "ann"), Server(HOST, 465, "ann")), name="", state="",
    scope=(), user_agent="", ip="", sync_error=None, synced_at=None, created_at=NOON + timedelta(seconds=2),
    updated_at=NOON,
)  # fmt: skip
CANNOT = {
    "stage": "connect",
    "reason": "timeout",
    "host": HOST,
    "port": 993,
    "source": OURS["dynamic"],
    "message": "no",
}
FAILING = replace(GRANT, sync_error=CANNOT)
IN_STEP = replace(GRANT, synced_at=NOON + timedelta(hours=1))


def refused_login(source: str, said: str = "[AUTHENTICATIONFAILED] no") -> Grant:
    error = {**CANNOT, "stage": "login", "reason": "authentication", "server_said": said, "source": OURS[source]}
    return replace(GRANT, status=GrantStatus.INVALID, sync_error=error)


def unsent(after_s: float, **error: Any) -> Failed:
    at = NOON + timedelta(seconds=after_s)
    return Failed(Traffic.SEND, {**CANNOT, "port": 465, **error}, at)


@dataclass(frozen=True)
class Case:
    name: str
    row: str
    code: Code
    entries: list[LedgerEntry]
    grant: Grant | None = None
    failed: list[Failed] = field(default_factory=list[Failed])
    least: float = 0.5
    most: float = 1.0

    def evidence(self) -> Evidence:
        told = failure_of(self.grant) if self.grant else []
        return evidence_of(QUESTION, EXITS, self.entries, grant=self.grant, failed=[*told, *self.failed])


A, L, Y, W = Traffic.AUTH, Traffic.LIVE, Traffic.SYNC, Traffic.SEND
READ = [row(60, Y, "dynamic", OPENED)]

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
         [row(-9000, A, "static", OPENED), *retried(0, A, "static", SILENT)], most=0.6),
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
         [*authenticated(), row(60, Y, "static", OPENED)],
         replace(refused_login("static"), environment=Kind.STATIC, synced_at=NOON + timedelta(seconds=30)), least=0.8),
    Case("S18", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], FAILING, least=0.85, most=0.9),
    Case("S18, refused", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", REFUSED)], FAILING, least=0.85, most=0.9),
    Case("S18, prohibited at once", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), row(2, Y, "dynamic", PROHIBITED)], FAILING, least=0.9),
    Case("S18, and authenticated again meanwhile", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT), *authenticated(100)], FAILING, least=0.95),
    Case("S18, live reads alone", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, L, "dynamic", SILENT)], GRANT, least=0.85),
    Case("S18, authenticated longer ago than the ledger knows", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         retried(9000, Y, "dynamic", SILENT), FAILING, most=0.9),
    Case("S18, of a host, over all accounts", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT)], least=0.85),
    Case("S18, a static account beside it", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", SILENT), *retried(3, Y, "static", OPENED)], least=0.95),
    Case("one failure only", "too_little", Code.INCONCLUSIVE,
         [row(0, A, "static", OPENED), row(2, Y, "dynamic", SILENT)], FAILING),
    Case("it worked for weeks, and is down", "too_little", Code.INCONCLUSIVE,
         [*authenticated(), row(10, Y, "dynamic", OPENED), *retried(9000, Y, "dynamic", SILENT)],
         replace(FAILING, synced_at=NOON + timedelta(hours=2))),
    Case("a new rule", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), row(10, Y, "dynamic", OPENED), *retried(9000, Y, "dynamic", SILENT), *authenticated(9100)],
         replace(FAILING, synced_at=NOON + timedelta(hours=2)), most=0.8),
    Case("a ban", "s18_objects_cannot_be_retrieved", Code.BANNED,
         [*authenticated(), row(10, Y, "dynamic", OPENED), *retried(900, Y, "dynamic", REFUSED), *authenticated(1000)],
         replace(FAILING, synced_at=NOON + timedelta(minutes=10)), most=0.6),
    Case("allow_nets", "s18_password_is_a_filter", Code.FILTER_DISGUISED_AS_WRONG_PASSWORD,
         [*authenticated(), row(2, Y, "dynamic", OPENED)], refused_login("dynamic"), least=0.8),
    Case("greeted with a no", "s18_objects_cannot_be_retrieved", Code.NEEDED,
         [*authenticated(), *retried(2, Y, "dynamic", OPENED)],
         replace(GRANT, sync_error={**CANNOT, "stage": "greeting", "reason": "refused", "server_said": "go away"}),
         least=0.85),
    Case("S20, time-out", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(70, W, "dynamic", SILENT, 465)], IN_STEP, least=0.85),
    Case("S20, refused", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(70, W, "dynamic", REFUSED, 465)], IN_STEP, least=0.7, most=0.8),
    Case("S20, by policy at RCPT", "s20_not_sent", Code.NEEDED_FOR_SENDING_ONLY,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(71, stage="send", reason="refused", server_said="554 5.7.1 Client host rejected: Access denied")],
         least=0.85),
    Case("S20, no such recipient", "s20_refused_for_another_reason", Code.NOT_NEEDED,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(71, stage="send", reason="refused", server_said="550 5.1.1 No such user")]),
    Case("S20, another password for sending", "s20_refused_for_another_reason", Code.WRONG_CREDENTIALS,
         [*authenticated(), *READ, row(70, W, "dynamic", OPENED, 465)], IN_STEP,
         [unsent(71, stage="login", reason="authentication", server_said="535 5.7.8 no")], most=0.6),
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
