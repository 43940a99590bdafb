"""From what is kept of ordinary connections to evidence, as if probes had made it. Pure; nothing is dialled.

The ledger knows how far each connection came, up to TLS. What a server said afterwards is known of the last failure of
a synchronisation and of letters that were not sent; each is laid over the one connection that ended with it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from mooring.config import EnvironmentName, Generation, Kind
from mooring.diagnosis.asking.exits import OWN, vantage_of
from mooring.diagnosis.probes import phrases
from mooring.diagnosis.probes.classify import answered_syn
from mooring.diagnosis.types import (
    Account,
    Depth,
    Evidence,
    Exit,
    Icmp,
    Lookup,
    Observation,
    Outcome,
    Question,
    Stage,
    Step,
    Target,
)
from mooring.egress import LedgerEntry, Traffic
from mooring.egress import Outcome as Became
from mooring.errors import IcmpMessage
from mooring.grants import Grant, GrantStatus

PAST = timedelta(days=7)
"""How far back a passive diagnosis looks: rules of firewalls change, and what was long ago proves little."""

_ICMP = re.compile(r"\(ICMP(?:v6)? (\d+)/(\d+) from ([0-9a-f.:]+)\)")
_IN_THE_LEDGER = frozenset({"resolve", "connect", "tls", "egress", ""})
"""Stages that the ledger has in full itself; at the others it has an open connection."""
_PHASES = {"connect": Stage.CONNECT, "tls": Stage.TLS, "read": Stage.GREETING, "write": Stage.GREETING}
_STAGES = {
    "greeting": Stage.GREETING,
    "login": Stage.LOGIN,
    "list": Stage.LIST,
    "fetch": Stage.LIST,
    "send": Stage.RECIPIENT,
    "calendar": Stage.CALENDAR,
}
_NOT_THE_EXIT = frozenset({"busy", "ledger", "resolver_busy", "wrong_family", "unknown_source", "target_not_allowed"})
"""Causes with which nothing was dialled, though nothing is wrong with an exit."""
_CUT_OFF = frozenset({"cancelled", "internal"})
"""Causes that are ours: the connection was given up, and how it would have ended nobody knows."""

CLOCKS_DIFFER = timedelta(seconds=1)
"""The database says when a letter was given to us, and this machine when its connection began."""

_Seen = tuple[LedgerEntry, Observation]


@dataclass(frozen=True, slots=True)
class Failed:
    """How a piece of work ended, in the shape of ``provider_error``.

    Attributes:
        at: None: it is what keeps the account from being in step now.
    """

    traffic: Traffic
    error: dict[str, Any]
    at: datetime | None = None


def evidence_of(
    question: Question,
    exits: Sequence[Exit],
    entries: Sequence[LedgerEntry],
    *,
    grant: Grant | None = None,
    failed: Iterable[Failed] = (),
) -> Evidence:
    """What a question can be answered from without a probe.

    Args:
        exits: whose addresses the sentences name.
        entries: the oldest first.
    """
    seen: list[_Seen] = [(entry, o) for entry in entries if (o := _observation(question, entry)) is not None]
    taken: set[str] = set()
    for failure in failed:
        seen = _laid_over(question, seen, failure, grant, taken)
    numbered = tuple(msgspec.structs.replace(o, probe=n) for n, (_, o) in enumerate(seen, 1))
    return Evidence(
        question,
        tuple(e for e in exits if e.vantage in OWN),
        lookups=tuple(_lookup(target.host, entries) for target in question.targets),
        observations=numbered,
        account=_account(grant) if grant is not None else None,
    )


def failure_of(grant: Grant) -> list[Failed]:
    """What keeps a grant's mail from being in step now, if anything does."""
    return [Failed(Traffic.SYNC, grant.sync_error)] if grant.sync_error is not None else []


def _account(grant: Grant) -> Account:
    return Account(
        authenticated_at=grant.created_at,
        placement=str(grant.environment),
        is_valid=grant.status is GrantStatus.VALID,
        synced_at=grant.synced_at,
        is_in_step=grant.synced_at is not None and grant.sync_error is None,
    )


def _observation(question: Question, entry: LedgerEntry) -> Observation | None:
    """What one row of the ledger says of the server; None: nothing."""
    target = _target(question, entry.host, entry.port)
    vantage = vantage_of(_environment(entry.environment), question.generation, question.region)
    if target is None or vantage is None or vantage not in OWN or entry.cause in _CUT_OFF:
        return None
    icmp = _icmp(entry.detail)
    match entry.outcome:
        case Became.OPENED:
            outcome, stage = Outcome.REACHED, Stage.TLS if entry.tls_ms is not None else Stage.CONNECT
        case Became.FAILED if entry.remote and entry.phase in _PHASES:
            outcome, stage = _failed(entry, icmp), _PHASES[entry.phase]
        case Became.NOT_DIALLED if entry.cause not in _NOT_THE_EXIT:
            outcome, stage = Outcome.OURS, Stage.CONNECT
        case _:
            return None
    return Observation(
        0, entry.at, vantage, entry.environment, entry.source, entry.source_address, target.service, entry.host,
        entry.port, entry.remote, outcome, stage, steps=_steps(entry), local=entry.local,
        detail=entry.detail or entry.reason,
        icmp=Icmp(icmp.type, icmp.code, icmp.sender) if icmp else None, traffic=entry.traffic,
    )  # fmt: skip


def _steps(entry: LedgerEntry) -> tuple[Step, ...]:
    connected = entry.outcome == Became.OPENED or entry.phase in {"tls", "read", "write"}
    times = (
        (Stage.CONNECT, entry.connect_ms if connected else None),
        (Stage.TLS, entry.tls_ms if entry.outcome == Became.OPENED else None),
    )
    return tuple(Step(stage, round(ms, 3)) for stage, ms in times if ms is not None)


def _failed(entry: LedgerEntry, icmp: IcmpMessage | None) -> Outcome:
    match entry.phase, entry.cause:
        case "connect", "timeout":
            return Outcome.SILENT
        case "connect", "refused":
            return answered_syn(icmp) or Outcome.RESET
        case "connect", "closed":
            return Outcome.CLOSED
        case "connect", _:
            return answered_syn(icmp) or Outcome.UNREACHABLE
        case "tls", "certificate":
            return Outcome.CERTIFICATE
        case "tls", "not_tls":
            return Outcome.NOT_TLS
        case _, "timeout":
            return Outcome.MUTE
        case "tls", "closed":
            return Outcome.CLOSED
        case "tls", _:
            return Outcome.ALERT
        case _:
            return Outcome.BROKEN


def _laid_over(
    question: Question, seen: Sequence[_Seen], failure: Failed, grant: Grant | None, taken: set[str]
) -> list[_Seen]:
    """The connections, of which one ended with what a server said, or did not say, after it was open.

    Args:
        taken: the rows that another failure was laid over; this one's is added.
    """
    error = failure.error
    target = _target(question, str(error.get("host", "")), int(error.get("port", 0)))
    stage = str(error.get("stage", ""))
    if target is None or stage in _IN_THE_LEDGER:
        return list(seen)
    candidates = [
        entry for entry, o in seen
        if o.traffic == failure.traffic and o.outcome is Outcome.REACHED and (o.host, o.port) == _where(target)
        and error.get("source") in {"", o.source_address} and entry.id not in taken
    ]  # fmt: skip
    ended = _ended_by(candidates, failure, grant)
    if ended is None:
        return list(seen)
    taken.add(ended.id)
    outcome, said = _said(failure), str(error.get("server_said", ""))
    return [
        (entry, msgspec.structs.replace(
            o, outcome=outcome, stage=_STAGES.get(stage, o.stage), said=said, detail=str(error.get("message", "")),
            depth=Depth.FULL if stage != "greeting" else o.depth,
        ) if entry is ended else o)
        for entry, o in seen
    ]  # fmt: skip


def _ended_by(candidates: Sequence[LedgerEntry], failure: Failed, grant: Grant | None) -> LedgerEntry | None:
    """The one connection that this failure ended: a letter's own, or the last that is closed of an account that has not
    been in step since. What runs now did not end so, and of what ended earlier nobody knows how.
    """
    if failure.at is not None:
        begun = (failure.at - CLOCKS_DIFFER, failure.at + timedelta(minutes=1))
        return next((entry for entry in candidates if begun[0] <= entry.at <= begun[1]), None)
    synced_at = grant.synced_at if grant is not None else None
    closed = {
        entry.closed_at: entry for entry in candidates
        if entry.closed_at is not None and (synced_at is None or entry.closed_at > synced_at)
    }  # fmt: skip
    return closed[max(closed)] if closed else None


def _said(failure: Failed) -> Outcome:
    """What a failure after the connection was open says (as ``classify`` has it of a probe).

    Who is past the login was let in. Before it, what has no words about us may be the server's own trouble, or ours.
    """
    error = failure.error
    stage, reason, said = (str(error.get(key, "")) for key in ("stage", "reason", "server_said"))
    match stage, reason:
        case "greeting", _ if said:
            return phrases.turned_away(said)
        case "greeting", "timeout":
            return Outcome.MUTE
        case "greeting", "closed":
            return Outcome.CLOSED
        case "login", "authentication":
            return phrases.refused_login(said) or Outcome.CREDENTIALS
        case "login", _:
            return phrases.refused_login(said) or Outcome.BROKEN
        case "send", "timeout":
            return Outcome.MUTE
        case "send", _:
            return phrases.refused_later(said)
        case "list" | "fetch" | "calendar", _:
            return Outcome.FAILED
        case _:
            return Outcome.BROKEN


def _lookup(host: str, entries: Sequence[LedgerEntry]) -> Lookup:
    """Where a name led to: what its latest connection says."""
    of_host = [entry for entry in entries if entry.host == host]
    addresses = tuple(dict.fromkeys(entry.remote for entry in reversed(of_host) if entry.remote))
    last = of_host[-1] if of_host else None
    if last is not None and not last.remote:
        why = last.detail or last.reason
        match last.phase, last.cause:
            case "resolve", "name_not_found":
                return Lookup(host, problem="no_such_name", detail=why)
            case "resolve", _:
                return Lookup(host, addresses, "" if addresses else "resolver", why)
            case _, "target_not_allowed":
                return Lookup(host, problem="private", detail=why)
            case _:
                pass
    return Lookup(host, addresses)


def _target(question: Question, host: str, port: int) -> Target | None:
    """Which service of the question this is; with one host for all of them the port decides."""
    return next((t for t in question.targets if _where(t) == (host, port)), None)


def _where(target: Target) -> tuple[str, int]:
    return target.host, target.port


def _environment(name: str) -> EnvironmentName:
    generation, _, rest = name.partition("-")
    region, _, kind = rest.rpartition("-")
    return EnvironmentName(Generation(generation), region, Kind(kind))


def _icmp(detail: str) -> IcmpMessage | None:
    found = _ICMP.search(detail)
    return IcmpMessage(int(found[1]), int(found[2]), found[3]) if found else None
