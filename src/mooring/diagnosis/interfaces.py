"""What a diagnosis needs of the world: probes, controls, a budget and a memory. Tests pass fakes."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from mooring.diagnosis.progress import Progress
from mooring.diagnosis.types import Control, Earlier, Exit, Lookup, Observation, Probe, Question, Secrets

Tell = Callable[[Progress], None]
"""Whoever watches; called on the event loop, never waits."""

MayLogin = Callable[[], Awaitable[bool]]
"""Asked by a probe just before it shows credentials: the dynamic side waits here for what became of the static one."""


class Prober(Protocol):
    """Effects: looks a name up, carries a probe out, looks at a source of our own. None of them raises for what the
    network or the server does, or for an exit of ours that fails: that is what they report.
    """

    async def look_up(self, question: Question, host: str, port: int) -> Lookup:
        """The addresses of a host that may be dialled from this application."""
        ...

    async def observe(
        self, question: Question, probe: Probe, secrets: Secrets, *, may_login: MayLogin, tell: Tell
    ) -> Observation:
        """Carry one probe out, politely to its end; tells ``Began`` when it leaves and ``Passed`` for each stage;
        ``delay_s`` is over by then.
        """
        ...

    async def control(
        self, question: Question, way_out: Exit, family: int, *, since: datetime | None = None
    ) -> Control:
        """Whether this source works at all in this address family, whatever the server does.

        Args:
            since: what the ledger tells from before says nothing; None: a while is no matter.
        """
        ...


class Budget(Protocol):
    """How gently a server is treated, over all applications and processes."""

    async def reserve(self, question: Question, probes: Sequence[Probe]) -> tuple[list[Probe], list[Observation]]:
        """Which of these may leave now, counted as if they had; and for the others what is remembered of a moment ago,
        or that they are spared.
        """
        ...

    async def remember(self, question: Question, observation: Observation) -> None:
        """Keep what concerns the server alone, for whoever asks next: no user's data, no hint of who asked."""
        ...


class Memory(Protocol):
    """What is known from before."""

    async def earlier_connections(self, question: Question) -> tuple[Earlier, ...]:
        """Connections of ours to these hosts that were opened, the latest of each source and service."""
        ...
