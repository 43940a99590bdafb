"""Accounts and what the ledger has of them, for passive diagnoses."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from mooring.config import Generation, Kind
from mooring.diagnosis.passive.history import Failed, evidence_of, failure_of
from mooring.diagnosis.types import Control, Evidence, Exit, Question, Service, Target, Vantage
from mooring.diagnosis.verdict.types import Code
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

CALENDARS = msgspec.structs.replace(QUESTION, targets=(*QUESTION.targets, Target(Service.CALDAV, HOST, 443)))

OPENED = {"outcome": "opened", "tls_ms": 20.0, "connect_ms": 10.0, "local": "203.0.113.10:40000"}
ENDED = {**OPENED, "closed_at": NOON + timedelta(days=1)}
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


def for_minutes(
    start_s: float, traffic: Traffic, source: str, how: dict[str, Any], port: int = 993
) -> list[LedgerEntry]:
    """The same, and on: 16, 32, 64 seconds."""
    return [*retried(start_s, traffic, source, how, port),
            *(row(start_s + at, traffic, source, how, port) for at in (102, 174, 310))]  # fmt: skip


def controls(works: bool | None, detail: str = "") -> tuple[Control, ...]:
    """What the ledger says of our exits meanwhile: the same of each."""
    return tuple(Control(e.source, e.address, 4, works, "ledger", detail=detail) for e in EXITS)


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


STATIC = replace(
    FAILING, environment=Kind.STATIC, created_at=NOON - timedelta(days=90), synced_at=NOON - timedelta(seconds=40),
    sync_error={**CANNOT, "source": OURS["static"]},
)  # fmt: skip
"""An account that was read from S for months."""


def ended(stage: str, reason: str, said: str = "", *, grant: Grant = FAILING) -> Grant:
    """The last session ended so."""
    error = {**(grant.sync_error or {}), "stage": stage, "reason": reason, "server_said": said}
    return replace(grant, sync_error=error)


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
    question: Question = QUESTION
    controls: tuple[Control, ...] = controls(True)

    def evidence(self) -> Evidence:
        told = failure_of(self.grant) if self.grant else []
        entries = sorted(self.entries, key=lambda entry: entry.at)
        found = evidence_of(self.question, EXITS, entries, grant=self.grant, failed=[*told, *self.failed])
        return msgspec.structs.replace(found, controls=self.controls)


A, L, Y, W = Traffic.AUTH, Traffic.LIVE, Traffic.SYNC, Traffic.SEND
READ = [row(60, Y, "dynamic", OPENED)]
