"""What somebody who watches a diagnosis knows so far: what is told of it, put together."""

from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from mooring.diagnosis.asking.records import Told
from mooring.diagnosis.picture.matrix import Going, MatrixTable, matrix_of
from mooring.diagnosis.progress import Began, Concluded, Controlled, LookedUp, Observed, Passed, Progress
from mooring.diagnosis.types import Control, Lookup, Observation, Target
from mooring.diagnosis.verdict.types import Verdict

STARTED, FAILED = "started", "failed"
"""What is told that is no ``Progress``: everything begins anew; there will be no verdict."""


@dataclass(slots=True)
class Watch:
    """A diagnosis, as far as it has been told.

    Attributes:
        targets: what is asked; where a server had yet to be found, only what is told shows it.
        number: of what was told last.
    """

    targets: tuple[Target, ...]
    number: int = 0
    lookups: list[Lookup] = field(default_factory=list[Lookup])
    observations: list[Observation] = field(default_factory=list[Observation])
    controls: list[Control] = field(default_factory=list[Control])
    going: dict[int, Going] = field(default_factory=dict[int, Going])
    verdict: Verdict | None = None

    def hear(self, told: Told) -> Self:
        """Take in what was told of a diagnosis that another process carries out."""
        self.number = told.number
        if told.kind == STARTED:
            self.__init__(self.targets, told.number)
        elif told.kind != FAILED:
            self.take(_progress(told.data))
        return self

    def take(self, progress: Progress) -> None:
        """Take this in."""
        match progress:
            case LookedUp(lookup):
                self.lookups.append(lookup)
            case Began(probe):
                self.going[probe.id] = Going(probe)
            case Passed(probe, step):
                if (going := self.going.get(probe)) is not None:
                    self.going[probe] = msgspec.structs.replace(going, steps=(*going.steps, step))
            case Observed(observation):
                self.going.pop(observation.probe, None)
                self.observations.append(observation)
            case Controlled(control):
                self.controls.append(control)
            case Concluded(verdict):
                self.verdict = verdict

    @property
    def matrix(self) -> tuple[MatrixTable, ...]:
        """The picture so far."""
        return matrix_of(self._targets(), self.lookups, self.observations, list(self.going.values()))

    def _targets(self) -> list[Target]:
        """Those that are known, and those that probes have shown."""
        seen = [g.probe.target for g in self.going.values() if not g.probe.is_alternative]
        seen += [Target(o.service, o.host, o.port, o.tls) for o in self.observations if not o.is_alternative]
        found = {(t.service, t.host, t.port): t for t in reversed([*self.targets, *seen]) if t.host}
        order = [(t.service, t.host, t.port) for t in [*self.targets, *seen] if t.host]
        return [found[key] for key in dict.fromkeys(order)]


def _progress(data: dict[str, Any]) -> Progress:
    return msgspec.convert(data, Progress)
