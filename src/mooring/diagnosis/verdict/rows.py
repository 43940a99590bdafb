"""What rows of the table are made with."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from mooring.diagnosis.types import Observation, Outcome, Service, Stage, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, Cell, is_statement
from mooring.diagnosis.verdict.odds import PRIOR, chance_of_filter
from mooring.diagnosis.verdict.types import Code, Finding

LATELY = timedelta(hours=1)
"""What worked so shortly ago and does not now is a ban sooner than a new rule."""
BAN = timedelta(minutes=10)
"""Default bantime of fail2ban 1.0; banned for longer after repeats."""
RELAY_PORT = 25
"""Servers speak to servers there: it shows that the host lives, and is nothing to send by."""

Row = Callable[[Cell], Finding | None]


def found(
    row: Row, cell: Cell, code: Code, confidence: float, proof: Sequence[Observation], **facts: Sequence[str]
) -> Finding:
    """A finding of this row about this cell; facts that are empty are left out."""
    return Finding(
        code,
        round(confidence, 3),
        row.__name__,
        cell.target.service,
        cell.address,
        tuple(dict.fromkeys(o.probe for o in proof)),
        {name: kept for name, values in facts.items() if (kept := [v for v in values if v])},
    )


def banned(row: Row, cell: Cell, proof: Sequence[Observation], confidence: float, **facts: Sequence[str]) -> Finding:
    """A ban, with when to return."""
    until = (max(o.at for o in proof) + BAN).isoformat(timespec="minutes")
    sources = sorted({o.source_address for o in proof})
    return found(row, cell, Code.BANNED, confidence, proof, until=[until], **{"sources": sources, **facts})


def list_missing(
    row: Row, cell: Cell, confidence: float, proof: Sequence[Observation], **facts: Sequence[str]
) -> Finding:
    """An allowlist that has none of ours, with the addresses that are to be in it."""
    missing = [e.address for e in cell.layout.exits(Vantage.STATIC, cell.family)]
    return found(row, cell, Code.ALLOWLIST_MISSING, confidence, proof, missing=missing, **facts)


def chance(
    blocked: Sequence[Observation], admitted: Sequence[Observation], *, choices: int = 1, prior: float = PRIOR
) -> float:
    """How likely it is that a filter tells these two groups apart."""
    out, into = counts(blocked), counts(admitted)
    return chance_of_filter(
        blocked_failed=out[0], blocked_reached=out[1], admitted_failed=into[0], admitted_reached=into[1],
        explicit=any(map(is_statement, blocked)), choices=choices, prior=prior,
    )  # fmt: skip


def counts(seen: Sequence[Observation]) -> tuple[int, int]:
    """How many were kept out, and how many let in."""
    failed = sum(o.outcome in FILTERS for o in seen)
    return failed, len(seen) - failed


def worked_lately(cell: Cell, seen: Sequence[Observation]) -> bool:
    """Whether one of these sources got in not long before it was first refused."""
    since = min(o.at for o in seen) - LATELY
    names = {o.source for o in seen}
    return any(e.source in names and e.at >= since for e in cell.layout.earlier(cell.target.host, cell.target.port))


def what_works(cell: Cell) -> list[Observation]:
    """Other ports or modes of the same address that speak the service."""
    same = (o for o in cell.alternatives if o.service is cell.target.service and o.port != RELAY_PORT)
    return [o for o in same if o.outcome in {Outcome.REACHED, Outcome.CERTIFICATE}]


def both_groups(observations: Sequence[Observation]) -> bool:
    """Whether both of the application's own groups are among them."""
    return {Vantage.DYNAMIC, Vantage.STATIC} <= {o.vantage for o in observations}


def is_mail_host(cell: Cell) -> bool:
    """Whether another service of the host spoke to us."""
    alive = cell.layout.lives(cell.target.host, but=(cell.target.service, cell.target.port))
    return any(Stage.GREETING in o.passed and o.service is not Service.CALDAV for o in alive)


def servers_of(working: Sequence[Observation]) -> list[str]:
    """What would work, as ``imap mail.example.com:993 implicit``."""
    return list(dict.fromkeys(f"{o.service} {o.host}:{o.port} {o.tls or ''}".strip() for o in working))


def words_of(observations: Sequence[Observation]) -> list[str]:
    """What the server, or the network, said: its own words where it had any."""
    found = [o.said or icmp_words(o) or str(o.outcome) for o in observations]
    return list(dict.fromkeys(found))[:3]


def icmp_words(observation: Observation) -> str:
    icmp = observation.icmp
    return f"ICMP {icmp.type}/{icmp.code} from {icmp.sender}" if icmp else ""
