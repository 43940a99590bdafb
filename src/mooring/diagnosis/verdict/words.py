"""A conclusion in plain words, for four readers: facts are filled into the sentences of ``sentences.toml``."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files

from mooring.diagnosis.picture.outcomes import called
from mooring.diagnosis.types import Evidence, Observation, Outcome, Service, Target, Vantage
from mooring.diagnosis.verdict.combine import Conclusion
from mooring.diagnosis.verdict.types import Code, Finding, Reader, Verdict

LOG_LINES = 6
"""Connections that the administrator is given to look for in the firewall's log."""

SENTENCES = tomllib.loads(files("mooring.diagnosis.verdict").joinpath("sentences.toml").read_text("utf-8"))
"""By conclusion: a summary, and next steps for each reader; and the caveats."""

_FACT = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")

_NAMES = {Service.IMAP: "IMAP", Service.SMTP: "SMTP submission", Service.CALDAV: "CalDAV"}
_MODES = {"implicit": "SSL/TLS", "starttls": "STARTTLS"}

_TIMES = frozenset({"until", "earlier"})
"""Facts that are times, as ISO 8601 has them."""


def verdict_of(evidence: Evidence, conclusion: Conclusion, base_url: str = "") -> Verdict:
    """The verdict that is told.

    Args:
        base_url: where this installation is reached, for its lists.
    """
    finding = conclusion.finding
    sentences = SENTENCES[finding.code]
    facts = _facts(evidence, finding, base_url)
    steps = {reader: _filled(sentences[reader], facts) for reader in Reader}
    steps[Reader.MAIL_ADMINISTRATOR] += log_lines(evidence, finding.code, finding.proof)
    steps[Reader.SUPPORT] += _others(conclusion)
    return Verdict(
        code=finding.code,
        confidence=finding.confidence,
        summary=" ".join(_filled(sentences["summary"], facts)),
        next_steps=steps,
        row=finding.row,
        proof=finding.proof,
        findings=conclusion.findings,
        caveats=tuple(SENTENCES["caveats"][name] for name in conclusion.caveats),
        servers=tuple(finding.facts.get("servers", ())),
    )


def _facts(evidence: Evidence, finding: Finding, base_url: str) -> dict[str, str]:
    """What the sentences can name."""
    question = evidence.question
    about = [t for t in question.targets if finding.service in {None, t.service}] or list(question.targets)
    static = [e for e in evidence.exits if e.vantage is Vantage.STATIC]
    facts = {name: ", ".join(_plain(name, v).rstrip(". ") for v in values) for name, values in finding.facts.items()}
    facts |= {
        "host": ", ".join(dict.fromkeys(t.host for t in about)),
        "service": ", ".join(_NAMES[t.service] for t in about),
        "port": ", ".join(str(t.port) for t in about),
        "ports": ", ".join(dict.fromkeys(map(_place, question.targets))),
        "static": ", ".join(dict.fromkeys(e.address for e in static)),
        "let_in": ", ".join(_let_in(evidence, finding)),
        "environment": static[0].environment if static else "",
        "region": question.region,
        "list_url": f"{base_url.rstrip('/')}/allowlist/{question.generation}/{question.region}.txt",
        "open": ", ".join(finding.facts.get("open_services", finding.facts.get("open_ports", ()))),
        "closed": ", ".join(finding.facts.get("closed_services", finding.facts.get("closed_ports", ()))),
    }
    return {name: value for name, value in facts.items() if value}


def _let_in(evidence: Evidence, finding: Finding) -> list[str]:
    """The static addresses that got in, in what proves the finding."""
    proving = (o for o in evidence.observations if o.probe in finding.proof and o.vantage is Vantage.STATIC)
    return list(dict.fromkeys(o.source_address for o in proving))


def _plain(name: str, value: str) -> str:
    """A fact for people: an outcome in words, a time by the clock, a server as settings are filled in."""
    if name in _TIMES:
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if name == "servers":
        service, place, *mode = value.split(" ")
        host, _, port = place.rpartition(":")
        known = [_MODES.get(word, word) for word in mode]
        return " ".join([f"{_NAMES[Service(service)]} at {host}, port {port}", *(f"({word})" for word in known)])
    return called(value)


def _place(target: Target) -> str:
    """What is to be opened of a target; where nobody named the port of submission, both that there are."""
    either = " or 587" if target.is_usual_port and target.service is Service.SMTP and target.port == 465 else ""
    return f"{target.host}:{target.port}{either}"


def _filled(sentences: Iterable[str | list[str]], facts: Mapping[str, str]) -> list[str]:
    """The sentences whose facts are all known; of alternatives the first such."""
    filled: list[str] = []
    for sentence in sentences:
        known = (s for s in ([sentence] if isinstance(sentence, str) else sentence) if _named_in(s) <= facts.keys())
        filled += [s.format_map(facts) for s in list(known)[:1]]
    return filled


def _named_in(sentence: str) -> set[str]:
    return set(_FACT.findall(sentence))


def log_lines(evidence: Evidence, code: Code, proof: Collection[int]) -> list[str]:
    """What to look for in the firewall's log, and how to see it on the wire."""
    proving = [o for o in evidence.observations if o.probe in proof and o.address]
    # A firewall's log has what it refused.
    proving.sort(key=lambda o: o.outcome is Outcome.REACHED)
    if code in {Code.NOT_NEEDED, Code.OWN_EXIT_BROKEN} or not proving:
        return []
    lines = [_log_line(o) for o in proving[:LOG_LINES]]
    sources = " or ".join(dict.fromkeys(f"host {o.source_address}" for o in proving))
    ports = " or ".join(dict.fromkeys(f"port {o.port}" for o in proving))
    return [*lines, f"To see it on the wire: tcpdump -n 'tcp and ({ports}) and ({sources})'"]


def _log_line(observation: Observation) -> str:
    o = observation
    from_port = o.local.rpartition(":")[2] if o.local else "any port"
    at = f"{o.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{at}: TCP from {o.source_address} ({from_port}) to {o.address} port {o.port}: {called(o.outcome)}"


def _others(conclusion: Conclusion) -> list[str]:
    """What was concluded about the parts, where that is not the whole."""
    told: Sequence[Finding] = [f for f in conclusion.findings if f.code is not conclusion.finding.code]
    return [f"{_NAMES[f.service] if f.service else ''} at {f.address}: {f.code} ({f.confidence:.2f})" for f in told]
