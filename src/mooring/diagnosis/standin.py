"""A budget and a memory that stand in for the real ones: all is allowed, nothing is known."""

from collections.abc import Sequence

from mooring.diagnosis.types import Earlier, Observation, Probe, Question


class Unlimited:
    """Allows everything, remembers nothing."""

    async def reserve(self, question: Question, probes: Sequence[Probe]) -> tuple[list[Probe], list[Observation]]:
        return list(probes), []

    async def remember(self, question: Question, observation: Observation) -> None:
        pass

    async def earlier_connections(self, question: Question) -> tuple[Earlier, ...]:
        return ()
