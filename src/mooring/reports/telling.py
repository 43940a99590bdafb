"""How a verdict was found out, in sentences. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

from mooring.diagnosis import VANTAGES, Control, Evidence, Outcome, Stage, Verdict, words_of_lookup

EARLIER = 3
"""Connections from before that are told."""


def told_how(evidence: Evidence, verdict: Verdict, *, since: datetime, until: datetime) -> tuple[str, ...]:
    """What was done, in which order, and by which rule it was concluded."""
    return tuple(_sentences(evidence, verdict, (until - since).total_seconds()))


def _sentences(evidence: Evidence, verdict: Verdict, took_s: float) -> Iterator[str]:
    for lookup in evidence.lookups:
        if not lookup.addresses:
            yield f"{lookup.host}: {words_of_lookup(lookup)}."
        elif lookup.addresses != (lookup.host,):
            yield f"{lookup.host} led to {' and '.join(lookup.addresses)}."
    tried = [o for o in evidence.observations if o.outcome not in {Outcome.OURS, Outcome.SPARED}]
    if tried:
        order = ", pairs of them side by side and in random order" if len(tried) > 1 else ""
        yield (
            f"{_count(len(tried), 'connection')} from {' and '.join(_groups(evidence))}, each to one address of the "
            f"server, stage by stage{order}, within {took_s:.1f} s."
        )
    shown = sum(1 for o in tried if o.stage is Stage.LOGIN or Stage.LOGIN in o.passed)
    yield (
        f"Credentials were shown {shown} times."
        if shown > 1
        else ("Credentials were shown once." if shown else "No credentials were shown to the server.")
    )
    for control in evidence.controls:
        yield _control(control)
    for before in evidence.earlier[:EARLIER]:
        at = before.at.astimezone(UTC)
        yield (
            f"Earlier, at {at:%Y-%m-%d %H:%M:%S} UTC, a connection from {before.source} "
            f"({VANTAGES[before.vantage]}) to {before.host}:{before.port} was opened."
        )
    yield f"The verdict follows from the row {verdict.row} of the table of verdicts; what proves it is marked."


def _groups(evidence: Evidence) -> list[str]:
    """Our addresses that were tried, by group."""
    by_group: dict[str, set[str]] = {}
    for o in evidence.observations:
        if o.outcome not in {Outcome.OURS, Outcome.SPARED}:
            by_group.setdefault(VANTAGES[o.vantage], set()).add(o.source_address)
    return [f"{_count(len(found), 'address', 'addresses')} ({group})" for group, found in by_group.items()]


def _control(control: Control) -> str:
    where = f"{control.source_address} over IPv{control.family}"
    detail = f" {control.detail}" if control.detail else ""
    match control.works, control.how:
        case True, "target":
            return f"Our own {where} works: {control.target} answered it."
        case True, _:
            return f"Our own {where} works.{detail}"
        case False, "target":
            return f"Our own {where} does not work: {control.target} did not answer it either."
        case False, _:
            return f"Our own {where} does not work.{detail}"
        case _:
            return f"Whether our own {where} works is not known.{detail}"


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
