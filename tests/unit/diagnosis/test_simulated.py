"""Servers that flap, ways that lose packets, filters: how often a verdict is wrong, and what its confidence is worth.

MOORING_RUNS sets how many diagnoses are simulated; the numbers are printed (``-s`` shows them).
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from mooring.diagnosis.types import Outcome, Probe, Service, Stage, Vantage
from mooring.diagnosis.verdict.types import Code
from tests.unit.diagnosis.worlds import Meeting, Rule, World, exits_of, keeps_out, question

RUNS = int(os.environ.get("MOORING_RUNS", "1000"))
MOST_FALSE = 0.005
"""Of the servers that do not filter, how many may be called so (the bar)."""

_FAILURES = (
    Meeting(Outcome.SILENT),
    Meeting(Outcome.RESET),
    Meeting(Outcome.CLOSED, Stage.GREETING),
    Meeting(Outcome.MUTE, Stage.GREETING),
)
_FILTERED = {Code.NEEDED, Code.NEEDED_FOR_SENDING_ONLY}


@dataclass(frozen=True)
class Truth:
    """What a simulated server is like, and which conclusions are right about it."""

    name: str
    rules: tuple[Rule, ...]
    right: frozenset[Code]


def flapping_in_time(chance: Random, how: Meeting) -> Rule:
    """Up and down by turns, for everybody."""
    up_s, down_s, phase = chance.uniform(0.5, 20), chance.uniform(0.5, 20), chance.uniform(0, 40)

    def rule(probe: Probe, now: float) -> Meeting | None:
        return how if (now + phase) % (up_s + down_s) > up_s else None

    return rule


def failing_by_chance(chance: Random, how: Meeting) -> Rule:
    """Each connection fails with the same probability, as behind a balancer with a dead machine."""
    often = chance.uniform(0.1, 0.9)
    fate: dict[int, bool] = {}

    def rule(probe: Probe, now: float) -> Meeting | None:
        return how if fate.setdefault(probe.id, chance.random() < often) else None

    return rule


def _fine(chance: Random) -> Truth:
    return Truth("fine", (), frozenset({Code.NOT_NEEDED}))


def _flapping(chance: Random) -> Truth:
    rule = chance.choice((flapping_in_time, failing_by_chance))(chance, chance.choice(_FAILURES))
    unfiltered = {Code.NOT_NEEDED, Code.INCONCLUSIVE, Code.SERVER_DOWN, Code.WRONG_PORT, Code.ADDRESS_FAMILY}
    return Truth("flapping", (rule,), frozenset(unfiltered))


def _filtered(chance: Random) -> Truth:
    how = chance.choice(_FAILURES)
    return Truth("filtered", (keeps_out(Vantage.DYNAMIC, how=how.outcome, stage=how.stage),), frozenset(_FILTERED))


def _partial(chance: Random) -> Truth:
    rule = keeps_out(Vantage.DYNAMIC, sources=[f"v3-us-static-4-{chance.randrange(20, 22)}"])
    return Truth("partial", (rule,), frozenset({Code.ALLOWLIST_PARTIAL, Code.NEEDED}))


def _filtered_and_flapping(chance: Random) -> Truth:
    rules = (*_filtered(chance).rules, *_flapping(chance).rules)
    right = {*_FILTERED, Code.INCONCLUSIVE, Code.SERVER_DOWN, Code.ALLOWLIST_MISSING, Code.ALLOWLIST_PARTIAL}
    return Truth("filtered and flapping", rules, frozenset(right))


def _shut(chance: Random) -> Truth:
    """It filters, and has let nobody of ours in yet; or another list."""
    let_in = chance.choice((None, None, Vantage.OTHER_GENERATION, Vantage.OTHER_REGION))
    kept_out = set(Vantage) - {let_in}
    right = {
        None: {Code.ALLOWLIST_MISSING, Code.SERVER_DOWN, Code.INCONCLUSIVE, Code.WRONG_PORT},
        Vantage.OTHER_GENERATION: {Code.ALLOWLIST_OUTDATED},
        Vantage.OTHER_REGION: {Code.WRONG_REGION},
    }[let_in]
    how = chance.choice(_FAILURES)
    return Truth("shut", (keeps_out(*kept_out, how=how.outcome, stage=how.stage),), frozenset(right))


def _only_reading(chance: Random) -> Truth:
    """The administrator forgot the ports of sending."""
    rules = (keeps_out(Vantage.DYNAMIC), keeps_out(*Vantage, ports=[465, 587]))
    return Truth("only reading", rules, frozenset({Code.ALLOWLIST_PARTIAL, Code.NEEDED}))


KINDS: tuple[tuple[Callable[[Random], Truth], int], ...] = (
    (_fine, 15),
    (_flapping, 45),
    (_filtered, 15),
    (_partial, 5),
    (_filtered_and_flapping, 5),
    (_shut, 10),
    (_only_reading, 5),
)
"""What is simulated, and how much of each of a hundred: mostly what is easily taken for a filter."""


def test_what_flaps_is_not_called_a_filter() -> None:
    told: Counter[tuple[str, Code]] = Counter()
    sure: dict[float, list[bool]] = {}
    false = unfiltered = 0
    for number in range(RUNS):
        chance = Random(number)
        make = chance.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
        truth = make(chance)
        world = World(truth.rules, loss=0.05, chance=chance, has_control=chance.random() < 0.8)
        services = chance.choice(((Service.IMAP,), (Service.IMAP, Service.SMTP)))
        exits = exits_of(chance.randint(2, 8), chance.randint(1, 3))
        _, verdict = world.diagnose(question(*services, credentials=chance.random() < 0.5), exits)
        told[truth.name, verdict.code] += 1
        sure.setdefault(round(verdict.confidence, 1), []).append(verdict.code in truth.right)
        if truth.name in {"fine", "flapping"}:
            unfiltered += 1
            false += verdict.code in _FILTERED
    print(f"\n{RUNS} simulated diagnoses, 5 % of SYNs lost; false 'needed': {false} of {unfiltered} without a filter")
    for (name, code), count in sorted(told.items()):
        print(f"  {name:22} {code:32} {count:5}")
    print("  stated confidence, and how often it was right:")
    for stated, right in sorted(sure.items(), key=str):
        print(f"  {stated:4.1f}  {sum(right) / len(right):6.3f}  of {len(right)}")
    assert false <= MOST_FALSE * unfiltered
    filtered = sum(count for (name, _), count in told.items() if name == "filtered")
    assert sum(told["filtered", code] for code in _FILTERED) >= 0.97 * filtered
