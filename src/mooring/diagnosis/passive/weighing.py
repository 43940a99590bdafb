"""What the rows of the tree weigh with: how often and how long is enough, and how sure that makes. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from mooring.diagnosis.passive.past import Past, episodes
from mooring.diagnosis.probes import phrases
from mooring.diagnosis.types import Observation, Outcome, Stage, Vantage
from mooring.diagnosis.verdict.cells import is_statement, is_theirs
from mooring.diagnosis.verdict.odds import chance_of_filter
from mooring.diagnosis.verdict.rows import LATELY
from mooring.diagnosis.verdict.types import Code, Finding
from mooring.egress import Traffic

APART = 0.9
"""The most that is said where nothing was let in between the failures: the server may have gone down meanwhile."""
AGAIN = 0.8
"""The most that is said of a side that was let in before: a ban looks the same as a new rule."""
LEAST = 0.6
"""From here on a difference is told; below it, more has to happen first, or probes have to be sent."""
FAINT = 0.55
"""What is likelier than not, and no more: it is not raised."""
SEVERAL, SPREAD = 3, timedelta(minutes=2)
"""So often, and over so long a time, a side fails before that says anything: a restart is over sooner."""
SEND_SILENT, SEND_REFUSED = 0.85, 0.7
"""How sure S20 is where sending alone fails: a time-out means "likely"; all else depends on the exact error."""

Row = Callable[[Past], Finding | None]


def found(row: Row, code: Code, confidence: float, proof: Sequence[Observation], **facts: Sequence[str]) -> Finding:
    """A finding of this row; about one service where all that proves it is. Facts that are empty are left out."""
    services = {o.service for o in proof}
    return Finding(
        code, round(confidence, 3), row.__name__, services.pop() if len(services) == 1 else None,
        proof=tuple(dict.fromkeys(o.probe for o in proof)),
        facts={name: kept for name, values in facts.items() if (kept := [v for v in values if v])},
    )  # fmt: skip


def kept_out_now(past: Past) -> tuple[Observation, ...]:
    """What S is kept out from just now, at one service: the latest."""
    services = [past.static(t.service).now for t in past.targets]
    return max((out for out in services if out), key=lambda out: out[-1].at, default=())


def lacks_proof(past: Past) -> bool:
    """Whether one of our exits is not answered, and nothing shows that it works."""
    both = (Vantage.STATIC, Vantage.DYNAMIC)
    runs = [past.strand(v, *Traffic, services=(t.service,)).now for v in both for t in past.targets]
    return any(run and not past.founded(run) for run in runs)


def is_lasting(out: Sequence[Observation]) -> bool:
    """Whether it failed several times, over some minutes."""
    return len(episodes(out)) >= SEVERAL and out[-1].at - out[0].at >= SPREAD


def remembered(past: Past) -> tuple[datetime, ...]:
    """The authentication that made the grant, where the ledger has it no more."""
    if past.account is None or past.evidence.question.generation != "v3":
        return ()
    return (past.account.authenticated_at,)


def said(observations: Sequence[Observation]) -> list[str]:
    """How these ended: in the server's words where it had any."""
    return list(dict.fromkeys(o.said or str(o.outcome) for o in observations))[:3]


def chance(out: Sequence[Observation], into: Sequence[Observation] | Sequence[datetime]) -> float:
    """How likely a filter is; what was tried at once counts once, so that one authentication is one."""
    let_in = [o for o in into if isinstance(o, Observation)]
    return chance_of_filter(
        blocked_failed=len(episodes(out)), blocked_reached=0, admitted_failed=0,
        admitted_reached=len(episodes(let_in)) if let_in else len(into), explicit=any(map(is_statement, out)),
    )  # fmt: skip


def in_order(observations: Iterable[Observation]) -> list[Observation]:
    """By time, whichever source they left by."""
    return sorted(observations, key=lambda o: (o.at, o.probe))


def chance_of_not_sent(out: Sequence[Observation], into: Sequence[Observation]) -> float:
    """How sure it is: words about where we come from suffice; else it takes two letters, and S that was let in lately.

    ``5.7`` alone may be about the letter, and a time-out after the login about the server.
    """
    if any(_names_us(o) for o in out):
        return SEND_SILENT
    early = [o for o in out if o.stage is not Stage.RECIPIENT]
    if len(episodes(early)) < 2 or not any(o.at > early[0].at - LATELY for o in into):
        return FAINT
    silent = all(o.outcome in {Outcome.SILENT, Outcome.MUTE} for o in early)
    return SEND_SILENT if silent else SEND_REFUSED


def _names_us(refused: Observation) -> bool:
    """Whether the refusal is of who we are, in words that leave no doubt, or by ICMP from the server's network."""
    if refused.outcome is Outcome.PROHIBITED:
        return is_theirs(refused)
    if refused.stage is not Stage.RECIPIENT:
        return is_statement(refused)
    return phrases.refused_login(refused.said) in {Outcome.POLICY, Outcome.LISTED}
