"""What a probe saw, in a few plain words. Pure."""

from mooring.diagnosis.types import Observation, Outcome, Service, Vantage

SERVICES = {Service.IMAP: "IMAP", Service.SMTP: "SMTP", Service.CALDAV: "CalDAV"}
"""What the services are called."""

VANTAGES = {
    Vantage.STATIC: "static",
    Vantage.DYNAMIC: "dynamic",
    Vantage.OTHER_GENERATION: "static, other generation",
    Vantage.OTHER_REGION: "static, other region",
    Vantage.OTHER_REGION_DYNAMIC: "dynamic, other region",
}
"""What the groups of our addresses are called."""

_WORDS = {
    Outcome.REACHED: "got through",
    Outcome.SILENT: "no answer",
    Outcome.RESET: "refused by a TCP reset",
    Outcome.PROHIBITED: "refused by ICMP: prohibited",
    Outcome.REJECTED: "refused by ICMP: port unreachable",
    Outcome.UNREACHABLE: "no way there",
    Outcome.CLOSED: "accepted, then closed without a word",
    Outcome.MUTE: "accepted, then not a word",
    Outcome.POLICY: "refused for where we come from",
    Outcome.LISTED: "refused because of a block list",
    Outcome.LIMITED: "refused for now: too many, or banned",
    Outcome.NOT_TLS: "speaks no TLS here",
    Outcome.NO_STARTTLS: "offers no STARTTLS",
    Outcome.OTHER_PROTOCOL: "speaks another protocol",
    Outcome.CERTIFICATE: "its certificate does not verify",
    Outcome.ALERT: "ended the TLS handshake by an alert",
    Outcome.CREDENTIALS: "refused user name or password",
    Outcome.FAILED: "refused after the login",
    Outcome.BROKEN: "broke off, or fell silent",
    Outcome.OURS: "not sent: our own exit failed",
    Outcome.SPARED: "not asked, to be gentle",
}

_NAMES = frozenset(map(str, Outcome))

_WAITED = frozenset({Outcome.SILENT, Outcome.MUTE})
"""Outcomes of which one asks how long was waited."""


def called(name: str) -> str:
    """An outcome's name in plain words; whatever else it is, as it is."""
    return _WORDS[Outcome(name)] if name in _NAMES else name


def words_of(observation: Observation) -> str:
    """How this probe ended."""
    o = observation
    told = _WORDS[o.outcome]
    if o.outcome in {Outcome.NOT_TLS, Outcome.OTHER_PROTOCOL} and o.spoken not in {"", "unknown"}:
        told += f", but {o.spoken}"
    if o.icmp is not None:
        told += f" (type {o.icmp.type} code {o.icmp.code} from {o.icmp.sender or 'nobody knows whom'})"
    if o.outcome is Outcome.CERTIFICATE and o.certificate is not None and o.certificate.problem:
        told += f": {o.certificate.problem}"
    if o.outcome is Outcome.OURS and o.detail:
        told += f": {o.detail}"
    if o.outcome in _WAITED and o.elapsed_ms:
        told += f" within {o.elapsed_ms / 1000:.1f} s"
    return told + (", as seen a moment ago" if o.remembered else "")
