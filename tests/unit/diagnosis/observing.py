"""Observations that are made up, one field at a time."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mooring.diagnosis import Told
from mooring.diagnosis.progress import Progress
from mooring.diagnosis.types import Exit, Lookup, Observation, Outcome, Probe, Service, Stage, Step, Target, Vantage
from mooring.diagnosis.verdict.types import Code, Reader, Verdict
from tests.unit.diagnosis.virtual import START
from tests.unit.diagnosis.worlds import ADDRESS, HOST

TARGET = Target(Service.IMAP, HOST, 993)
REFUSED = Verdict(Code.NEEDED, 0.97, "It filters.", {reader: ["Do."] for reader in Reader}, row="needed", proof=(1,))
_ORDER = (Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY, Stage.LOGIN, Stage.LIST)


def seen(
    number: int,
    stage: Stage,
    outcome: Outcome = Outcome.REACHED,
    *,
    vantage: Vantage = Vantage.STATIC,
    source: str = "203.0.113.20",
    ms: float = 20.0,
    **more: Any,
) -> Observation:
    """What a probe saw that came to this stage."""
    passed = _ORDER[: _ORDER.index(stage) + (outcome is Outcome.REACHED)]
    return Observation(
        number, START, vantage, f"v3-us-{vantage}", f"name-of-{source}", source, Service.IMAP, HOST, 993, ADDRESS,
        outcome, stage, steps=tuple(Step(one, ms) for one in passed), **more,
    )  # fmt: skip


def probe(number: int) -> Probe:
    """A probe from where ``seen`` is seen from."""
    way_out = Exit(Vantage.STATIC, "v3-us-static", "name-of-203.0.113.20", "203.0.113.20")
    return Probe(number, way_out, TARGET, ADDRESS)


def lookup(*, problem: str = "") -> Lookup:
    """What the name leads to."""
    return Lookup(HOST, () if problem else (ADDRESS,), problem)


def told(progress: Sequence[Progress]) -> list[Told]:
    """The same as it is kept."""
    written = [msgspec.to_builtins(one) for one in progress]
    return [Told(number, data["kind"], data) for number, data in enumerate(written, start=1)]
