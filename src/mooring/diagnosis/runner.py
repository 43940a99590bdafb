"""How a diagnosis goes: names, rounds of probes side by side, controls of our own exits, and the verdict."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import msgspec
import structlog

from mooring.clock import Clock
from mooring.diagnosis.interfaces import Budget, Memory, Prober, Tell
from mooring.diagnosis.progress import Began, Concluded, Controlled, LookedUp, Observed, Passed, Progress
from mooring.diagnosis.types import (
    Depth,
    Evidence,
    Exit,
    Observation,
    Outcome,
    Probe,
    Question,
    Secrets,
    Service,
    Stage,
    Target,
    Vantage,
)
from mooring.diagnosis.verdict.cells import UNDECIDED
from mooring.diagnosis.verdict.combine import conclude
from mooring.diagnosis.verdict.plan import Plan, needing_control
from mooring.diagnosis.verdict.ports import with_served_ports
from mooring.diagnosis.verdict.types import Verdict
from mooring.diagnosis.verdict.words import verdict_of
from mooring.store import StoreUnavailable

log = structlog.get_logger()

PATIENCE_S = 2.5
"""Seconds after which a probe that has heard nothing counts as silent for what is asked next; it goes on waiting."""
_TICK_S = 0.001
"""Seconds that are not worth waiting for: a loop's clock does not tell less apart."""
LONGEST_S = 60.0
"""Seconds for one diagnosis; what is not known by then is not waited for."""


class Runner:
    """Runs diagnoses; knows nothing of who asks, or of where they are kept.

    Args:
        exits: from a question to the sources that it may leave by, its own first.
        chance: decides the order of what belongs together.
        base_url: where this installation is reached, for links.
    """

    def __init__(
        self,
        prober: Prober,
        budget: Budget,
        memory: Memory,
        exits: Callable[[Question], Sequence[Exit]],
        clock: Clock,
        *,
        chance: Random | None = None,
        base_url: str = "",
    ) -> None:
        self._prober = prober
        self._budget = budget
        self._memory = memory
        self._exits = exits
        self._clock = clock
        self._base_url = base_url
        self._chance = chance or Random()  # noqa: S311 - an order, no secret

    async def run(self, question: Question, secrets: Secrets, tell: Tell) -> tuple[Evidence, Verdict]:
        """Ask until there is a verdict. What servers and exits do is evidence, and raises nothing."""
        run = _Run(self._prober, self._budget, self._clock, question, secrets, tell, Plan(self._chance))
        run.evidence = Evidence(
            question, tuple(self._exits(question)), earlier=await self._memory.earlier_connections(question)
        )
        try:
            # What is not known when it ends is not waited for; the verdict is made from what is.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_S):
                    await run.look_up()
                    await run.rounds()
        finally:
            await run.end()
        evidence = msgspec.structs.replace(run.evidence, ended_at=self._clock.now())
        verdict = verdict_of(evidence, conclude(evidence), self._base_url)
        tell(Concluded(verdict))
        return evidence, verdict


@dataclass(slots=True)
class _Run:
    """One diagnosis under way."""

    prober: Prober
    budget: Budget
    clock: Clock
    question: Question
    secrets: Secrets
    tell: Tell
    plan: Plan
    evidence: Evidence = field(init=False)
    pending: dict[asyncio.Task[None], Probe] = field(default_factory=dict[asyncio.Task[None], Probe])
    controls: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    looked_at: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    began: dict[int, float] = field(default_factory=dict[int, float])
    left: set[int] = field(default_factory=set[int])
    connected: set[int] = field(default_factory=set[int])
    gates: dict[Service, asyncio.Future[bool]] = field(default_factory=dict[Service, asyncio.Future[bool]])

    async def look_up(self) -> None:
        """Look every host up, once."""
        ports = {target.host: target.port for target in self.question.targets}
        found = await asyncio.gather(*(self.prober.look_up(self.question, h, p) for h, p in ports.items()))
        for lookup in found:
            self.tell(LookedUp(lookup))
        self.evidence = self.evidence.with_more(lookups=tuple(found))

    async def rounds(self) -> None:
        """Round after round, until there is no more to learn, and nothing under way."""
        await self._send_out(self.plan.first(self.evidence))
        while True:
            await self._settled()
            self._look_at_exits()
            self.evidence = with_served_ports(self.evidence)
            following = self.plan.following(self._so_far())
            if following:
                await self._send_out(following)
            elif self.pending or self.controls:
                self._nobody_will_log_in()
                await self._one_more()
            else:
                return

    async def end(self) -> None:
        """Leave nothing under way."""
        under_way = [*self.pending, *self.controls]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _send_out(self, probes: Sequence[Probe]) -> None:
        allowed, known = await self.budget.reserve(self.question, probes)
        for probe in allowed:
            if _shows_credentials_first(probe):
                gate = self.gates.get(probe.target.service)
                if gate is None or gate.done():
                    self.gates[probe.target.service] = asyncio.get_running_loop().create_future()
        for observation in known:
            self._keep(observation)
        for probe in allowed:
            self.pending[asyncio.create_task(self._probe(probe))] = probe

    async def _probe(self, probe: Probe) -> None:
        await asyncio.sleep(probe.delay_s)
        self.began[probe.id] = asyncio.get_running_loop().time()
        observation = await self.prober.observe(
            self.question, probe, self.secrets, may_login=lambda: self._may_login(probe), tell=self._told(probe)
        )
        self._keep(observation)
        if observation.outcome not in UNDECIDED:
            self._open_gate(probe, accepted=Stage.LOGIN in observation.passed)
        try:
            await self.budget.remember(self.question, observation)
        except StoreUnavailable as e:
            # It stays counted as under way, which is more than it was.
            log.warning("diagnosis.not_remembered", error=str(e))

    def _keep(self, observation: Observation) -> None:
        self.evidence = self.evidence.with_more(observations=(observation,))
        self.tell(Observed(observation))

    def _told(self, probe: Probe) -> Tell:
        """Pass on what a probe tells, and let the dynamic side log in as soon as the static one has.

        While it waits for room of our own it has not left, and is not silent: that would be said of the server.
        """

        def told(progress: Progress) -> None:
            self.tell(progress)
            match progress:
                case Began():
                    self.left.add(probe.id)
                    self.began[probe.id] = asyncio.get_running_loop().time()
                case Passed(step=step):
                    self.connected.add(probe.id)
                    if step.stage is Stage.LOGIN:
                        self._open_gate(probe, accepted=True)
                case _:
                    pass

        return told

    def _open_gate(self, probe: Probe, *, accepted: bool) -> None:
        gate = self.gates.get(probe.target.service)
        if _shows_credentials_first(probe) and gate is not None and not gate.done():
            gate.set_result(accepted)

    def _nobody_will_log_in(self) -> None:
        """Let those go who wait for a static login that no probe is to make."""
        trying = {p.target.service for p in self.pending.values() if _shows_credentials_first(p)}
        for service, gate in self.gates.items():
            if service not in trying and not gate.done():
                gate.set_result(False)

    async def _may_login(self, probe: Probe) -> bool:
        """The dynamic side may if the server accepted the same credentials from the static one.

        And of several services with the same credentials the first one tries: a wrong password is refused once.
        """
        if probe.exit.vantage is not Vantage.STATIC:
            gate = self.gates.get(probe.target.service)
            return gate is not None and await asyncio.shield(gate)
        for service in self._before(probe.target):
            await asyncio.shield(self.gates[service])
        refused = {o.service for o in self.evidence.observations if o.outcome is Outcome.CREDENTIALS}
        return not refused.intersection(self._before(probe.target))

    def _before(self, target: Target) -> list[Service]:
        """The services that log in with the same credentials, and come before this one."""
        targets = self.question.targets
        earlier = targets[: next((n for n, t in enumerate(targets) if t.service is target.service), 0)]
        passwords = self.secrets.passwords
        return [
            t.service
            for t in earlier
            if t.service in self.gates
            and (t.username, passwords.get(t.service)) == (target.username, passwords.get(target.service))
        ]

    async def _settled(self) -> None:
        """Return when every probe has ended, or has been under way for so long that it counts as silent."""
        while wait_s := max((self._patience_s(probe) for probe in self.pending.values()), default=0):
            await self._one_more(wait_s)

    def _patience_s(self, probe: Probe) -> float:
        """Seconds for which this probe is still waited for before the next round."""
        began = self.began.get(probe.id)
        if began is None:
            return probe.delay_s + PATIENCE_S
        left_s = PATIENCE_S - (asyncio.get_running_loop().time() - began)
        return left_s if left_s > _TICK_S else 0.0

    async def _one_more(self, timeout_s: float | None = None) -> None:
        """Return when something under way has ended, or after so many seconds; a defect in it is raised here."""
        done, _ = await asyncio.wait(
            {*self.pending, *self.controls}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            self.pending.pop(task, None)
            self.controls.discard(task)
            task.result()

    def _so_far(self) -> Evidence:
        """The evidence, in which what has heard nothing for a while counts as silent."""
        silent = [p for p in self.pending.values() if p.id in self.left and p.id not in self.connected]
        return self.evidence.with_more(observations=tuple(_silent(p, self.clock.now()) for p in silent))

    def _look_at_exits(self) -> None:
        """Have the exits looked at that something was silent to, side by side with the probes."""
        for way_out, family in needing_control(self._so_far()):
            if (way_out.source, family) not in self.looked_at:
                self.looked_at.add((way_out.source, family))
                self.controls.add(asyncio.create_task(self._control(way_out, family)))

    async def _control(self, way_out: Exit, family: int) -> None:
        control = await self.prober.control(self.question, way_out, family)
        self.evidence = self.evidence.with_more(controls=(control,))
        self.tell(Controlled(control))


def _shows_credentials_first(probe: Probe) -> bool:
    return probe.depth is Depth.FULL and probe.exit.vantage is Vantage.STATIC


def _silent(probe: Probe, at: datetime) -> Observation:
    """How a probe counts that has heard nothing yet."""
    way_out, target = probe.exit, probe.target
    return Observation(
        probe.id, at, way_out.vantage, way_out.environment, way_out.source, way_out.address, target.service,
        target.host, target.port, probe.address, Outcome.SILENT, Stage.CONNECT, is_alternative=probe.is_alternative,
    )  # fmt: skip
