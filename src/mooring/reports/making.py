"""From a diagnosis to its report. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from mooring.allowlist import AddressList
from mooring.diagnosis import (
    Diagnosis,
    Evidence,
    Observation,
    Outcome,
    Reader,
    Vantage,
    Verdict,
    log_lines,
    matrix_of,
    words_of,
)
from mooring.errors import Conflict
from mooring.reports.discretion import discreet
from mooring.reports.telling import told_how
from mooring.reports.titles import sureness_of, title_of
from mooring.reports.types import AllowList, Answered, Line, Report, Shown


def report_of(diagnosis: Diagnosis, *, listed: AddressList, base_url: str, made_at: datetime) -> Report:
    """What is handed on of this diagnosis.

    Args:
        listed: the static list that it is about, as it is published.
        base_url: where this installation is, for links.

    Raises:
        Conflict: there is no verdict, and so nothing to report.
    """
    verdict, evidence, ended_at = diagnosis.verdict, diagnosis.evidence, diagnosis.ended_at
    if verdict is None or evidence is None or ended_at is None:
        raise no_verdict(diagnosis)
    question, allow = evidence.question, _allow(evidence, listed, base_url)
    report = Report(
        id=diagnosis.id,
        made_at=made_at,
        asked_at=diagnosis.created_at,
        ended_at=ended_at,
        generation=question.generation,
        region=question.region,
        hosts=tuple(dict.fromkeys(t.host for t in question.targets if t.host)),
        asked=tuple(f"{t.service} {t.host}:{t.port}" for t in question.targets),
        email="" if diagnosis.grant_id else question.email,
        code=verdict.code,
        title=title_of(verdict.code),
        confidence=verdict.confidence,
        sureness=sureness_of(verdict.confidence),
        summary=verdict.summary,
        next_steps=_steps(evidence, verdict),
        servers=verdict.servers,
        caveats=verdict.caveats,
        row=verdict.row,
        proof=verdict.proof,
        how=told_how(evidence, verdict, since=diagnosis.started_at or diagnosis.created_at, until=ended_at),
        allow=allow,
        matrix=matrix_of(question.targets, evidence.lookups, evidence.observations),
        timeline=_timeline(evidence, verdict),
        capture=_capture(evidence),
        certificates=_certificates(evidence.observations),
        icmp=_icmp(evidence.observations),
    )
    return discreet(report, diagnosis, links={f" {_list_path(evidence)}": f" {allow.url}"})


def no_verdict(diagnosis: Diagnosis) -> Conflict:
    """What is said of a diagnosis that has nothing to report."""
    if diagnosis.state.is_end:
        why = (diagnosis.error or {}).get("message", "")
        return Conflict(f"This diagnosis has no verdict. {why}".strip(), hint="Ask for another one.")
    return Conflict("This diagnosis has not ended yet.", hint="Wait for its verdict; it takes some seconds.")


def _steps(evidence: Evidence, verdict: Verdict) -> dict[Reader, list[str]]:
    """What each reader does next; connections are told whole in the timeline, and not here as well."""
    told = frozenset(log_lines(evidence, verdict.code, verdict.proof))
    return {reader: [step for step in steps if step not in told] for reader, steps in verdict.next_steps.items()}


def _allow(evidence: Evidence, listed: AddressList, base_url: str) -> AllowList:
    environment, url = str(listed.environment), base_url.rstrip("/") + _list_path(evidence)
    if listed.version:
        since = datetime.fromtimestamp(listed.updated_at, UTC)
        return AllowList(environment, tuple(listed.ip_addresses), url, listed.version, since)
    static = (e.address for e in evidence.exits if e.vantage is Vantage.STATIC)
    return AllowList(environment, tuple(dict.fromkeys(static)), url)


def _list_path(evidence: Evidence) -> str:
    return f"/allowlist/{evidence.question.generation}/{evidence.question.region}.txt"


def _timeline(evidence: Evidence, verdict: Verdict) -> tuple[Line, ...]:
    """What was sent to the server, in order; what never left is not in its log."""
    sent = [o for o in evidence.observations if o.address and not _never_left(o)]
    return tuple(
        Line(
            probe=o.probe,
            at=o.at,
            service=o.service,
            source_address=o.source_address,
            source_port=_port_of(o.local),
            address=o.address,
            port=o.port,
            stage=o.stage,
            outcome=o.outcome,
            words=words_of(o),
            said=o.said,
            icmp=o.icmp,
            is_proof=o.probe in verdict.proof,
        )
        for o in sorted(sent, key=lambda o: (o.at, o.probe))
    )


def _never_left(observation: Observation) -> bool:
    return observation.outcome in {Outcome.OURS, Outcome.SPARED} or observation.remembered


def _port_of(local: str) -> int | None:
    port = local.rpartition(":")[2]
    return int(port) if port.isascii() and port.isdecimal() else None


def _capture(evidence: Evidence) -> str:
    """A command line for the server, or the firewall before it, made of our own addresses and of numbers.

    In a filter ``and`` binds no closer than ``or`` does (pcap-filter(7)).
    """
    own = [o for o in evidence.observations if o.vantage in {Vantage.STATIC, Vantage.DYNAMIC}]
    hosts = " or ".join(f"host {address}" for address in dict.fromkeys(o.source_address for o in own))
    ports = " or ".join(f"port {port}" for port in sorted({o.port for o in own if not o.is_alternative}))
    return f"tcpdump -n -i any '({hosts}) and (icmp or icmp6 or (tcp and ({ports})))'" if hosts and ports else ""


def _certificates(observations: Sequence[Observation]) -> tuple[Shown, ...]:
    """Each certificate once, with where it was shown."""
    found: dict[tuple[str, str], list[Observation]] = {}
    for o in observations:
        if o.certificate is not None:
            found.setdefault((o.certificate.spki, o.certificate.problem), []).append(o)
    shown: list[Shown] = []
    for same in found.values():
        certificate = same[0].certificate
        assert certificate is not None
        at = tuple(dict.fromkeys(f"{_bracketed(o.address)}:{o.port}" for o in same))
        shown.append(
            Shown(
                at, certificate.names, certificate.issuer, certificate.not_after, certificate.spki, certificate.problem
            )
        )
    return tuple(shown)


def _icmp(observations: Sequence[Observation]) -> tuple[Answered, ...]:
    """Each message once, by who sent it."""
    found: dict[tuple[int, int, str], list[str]] = {}
    for o in observations:
        if o.icmp is not None:
            found.setdefault((o.icmp.type, o.icmp.code, o.icmp.sender), []).append(o.source_address)
    return tuple(Answered(*message, tuple(dict.fromkeys(to)), len(to)) for message, to in found.items())


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
