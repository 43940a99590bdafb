"""Servers that exist as rules only: what a probe meets, by where it left from, when, and by chance."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from mooring.diagnosis.interfaces import MayLogin, Tell
from mooring.diagnosis.progress import Began, Passed, Progress
from mooring.diagnosis.runner import Runner
from mooring.diagnosis.types import (
    Control,
    Depth,
    Earlier,
    Evidence,
    Exit,
    Icmp,
    Lookup,
    Observation,
    Outcome,
    Probe,
    Question,
    Secrets,
    Service,
    Stage,
    Step,
    Target,
    Vantage,
)
from mooring.diagnosis.verdict.types import Verdict
from tests.unit.diagnosis.virtual import LoopClock, run_virtually

HOST = "mail.example.com"
ADDRESS = "198.51.100.7"
ADDRESS6 = "2001:db8:5::7"
PASSWORD = "correct horse"

CONNECT_S = 8.0
BERTH_S = 5.0
"""Seconds that a probe waits for a berth before it is spared."""
SYNS_S = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
"""When Linux sends SYNs, as far as a connection is waited for (tcp_syn_linear_timeouts=4)."""

LAST = {Service.IMAP: Stage.LIST, Service.SMTP: Stage.RECIPIENT, Service.CALDAV: Stage.CALENDAR}
OPENED = (Stage.CONNECT, Stage.TLS, Stage.GREETING, Stage.CAPABILITY)
EARLY = {Outcome.SILENT, Outcome.RESET, Outcome.PROHIBITED, Outcome.REJECTED, Outcome.UNREACHABLE}
"""Outcomes before anything was accepted."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """How a probe ends: with which outcome, at which stage, with which words."""

    outcome: Outcome
    stage: Stage = Stage.CONNECT
    said: str = ""
    spoken: str = ""
    icmp: Icmp | None = None


Rule = Callable[[Probe, float], Meeting | None]
"""From a probe and the seconds since the world began to what it meets; None: the server serves it."""


@dataclass
class World:
    """A server, the way there, and our exits.

    Attributes:
        rules: asked in order, for each SYN; the first that says something counts.
        loss: how many SYNs or answers get lost, of one.
        addresses: what the name leads to; a problem instead as ``problem``.
        broken: names of exits of ours that fail behind our backs; ``dead``: that cannot even be tried.
        busy: by the name of an exit, seconds for which it has no berth.
        crowded: whether a probe finds none in time.
        has_control: whether a control target is configured.
    """

    rules: Sequence[Rule] = ()
    loss: float = 0.0
    addresses: tuple[str, ...] = (ADDRESS,)
    problem: str = ""
    broken: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    busy: Mapping[str, float] = field(default_factory=dict[str, float])
    crowded: Callable[[Probe], bool] = lambda _: False
    has_control: bool = True
    earlier: tuple[Earlier, ...] = ()
    chance: Random = field(default_factory=lambda: Random(1))
    round_trip_s: float = 0.02
    probes: list[Probe] = field(default_factory=list[Probe])
    shown: list[tuple[str, Service]] = field(default_factory=list[tuple[str, Service]])
    deep: set[int] = field(default_factory=set[int])

    def diagnose(self, question: Question, exits: Sequence[Exit]) -> tuple[Evidence, Verdict]:
        """The whole diagnosis, in virtual time."""
        told: list[Progress] = []
        self.deep.clear()
        runner = Runner(self, self, self, lambda _: exits, LoopClock(), chance=self.chance)
        secrets = Secrets({t.service: PASSWORD for t in question.targets} if question.with_credentials else {})
        return run_virtually(runner.run(question, secrets, told.append))

    async def look_up(self, question: Question, host: str, port: int) -> Lookup:
        return Lookup(host, () if self.problem else self.addresses, self.problem)

    async def observe(
        self, question: Question, probe: Probe, secrets: Secrets, *, may_login: MayLogin, tell: Tell
    ) -> Observation:
        self.probes.append(probe)
        began = LoopClock()
        at, started = began.now(), began.monotonic()
        if self.crowded(probe):
            await asyncio.sleep(BERTH_S)
            meeting = Meeting(Outcome.SPARED)
        else:
            await asyncio.sleep(self.busy.get(probe.exit.source, 0.0))
            tell(Began(probe))
            meeting = await self._met(probe)
        passed = _passed(meeting, probe)
        for stage in passed:
            await asyncio.sleep(self.round_trip_s)
            if stage is Stage.LOGIN:
                if not await may_login():
                    break
                self.shown.append((probe.exit.address, probe.target.service))
                self.deep.add(probe.id)
            tell(Passed(probe.id, Step(stage, 20.0)))
        else:
            if meeting.stage is Stage.LOGIN:
                if await may_login():
                    self.shown.append((probe.exit.address, probe.target.service))
                    self.deep.add(probe.id)
                else:
                    meeting = Meeting(Outcome.REACHED, Stage.CAPABILITY)
        steps = tuple(Step(s, 20.0) for s in passed if s is not Stage.LOGIN or self._was_shown(probe))
        if meeting.outcome is Outcome.MUTE:
            await asyncio.sleep(CONNECT_S)
        return Observation(
            probe.id, at, probe.exit.vantage, probe.exit.environment, probe.exit.source, probe.exit.address,
            probe.target.service, probe.target.host, probe.target.port, probe.address, meeting.outcome, meeting.stage,
            self._depth(probe), steps, (began.monotonic() - started) * 1000, tls=probe.target.tls, said=meeting.said,
            spoken=meeting.spoken, icmp=meeting.icmp, is_alternative=probe.is_alternative,
        )  # fmt: skip

    async def control(
        self, question: Question, way_out: Exit, family: int, *, since: datetime | None = None
    ) -> Control:
        works: bool | None = way_out.source not in self.broken | self.dead
        if way_out.source in self.dead:
            return Control(way_out.source, way_out.address, family, False, "exit")
        if not self.has_control:
            return Control(way_out.source, way_out.address, family, None)
        await asyncio.sleep(self.round_trip_s if works else 5.0)
        return Control(way_out.source, way_out.address, family, works, "target", "control.example.net:443")

    async def reserve(self, question: Question, probes: Sequence[Probe]) -> tuple[list[Probe], list[Observation]]:
        return list(probes), []

    async def remember(self, question: Question, observation: Observation) -> None:
        pass

    async def earlier_connections(self, question: Question) -> tuple[Earlier, ...]:
        return self.earlier

    def _depth(self, probe: Probe) -> Depth:
        """How far it really went: whether it showed credentials."""
        return Depth.FULL if probe.id in self.deep else Depth.GREETING

    def _was_shown(self, probe: Probe) -> bool:
        return (probe.exit.address, probe.target.service) in self.shown

    async def _met(self, probe: Probe) -> Meeting:
        """What the SYNs of one probe meet, until one is answered or nobody waits any more."""
        if probe.exit.source in self.dead:
            return Meeting(Outcome.OURS)
        started = LoopClock().monotonic()
        for at_s in SYNS_S:
            await asyncio.sleep(max(0.0, started + at_s - LoopClock().monotonic()))
            if probe.exit.source in self.broken or self.chance.random() < self.loss:
                continue
            meeting = self._rule(probe)
            if meeting is None or meeting.outcome is not Outcome.SILENT:
                return meeting or Meeting(Outcome.REACHED, _last(probe))
        await asyncio.sleep(started + CONNECT_S - LoopClock().monotonic())
        return Meeting(Outcome.SILENT)

    def _rule(self, probe: Probe) -> Meeting | None:
        now = LoopClock().monotonic()
        return next((found for rule in self.rules if (found := rule(probe, now))), None)


def _last(probe: Probe) -> Stage:
    return LAST[probe.target.service] if probe.depth is Depth.FULL else Stage.CAPABILITY


def _passed(meeting: Meeting, probe: Probe) -> tuple[Stage, ...]:
    if meeting.outcome in EARLY:
        return ()
    if meeting.outcome is Outcome.CLOSED or meeting.outcome is Outcome.MUTE:
        return (Stage.CONNECT,)
    order = (*OPENED, Stage.LOGIN, LAST[probe.target.service])
    if meeting.outcome is Outcome.REACHED:
        return order[: order.index(meeting.stage) + 1]
    return order[: order.index(meeting.stage)]


def keeps_out(
    *vantages: Vantage,
    how: Outcome = Outcome.SILENT,
    ports: Sequence[int] = (),
    sources: Sequence[str] = (),
    stage: Stage = Stage.CONNECT,
    said: str = "",
    icmp: Icmp | None = None,
) -> Rule:
    """A filter by the address that a probe leaves from."""

    def rule(probe: Probe, now: float) -> Meeting | None:
        mine = probe.exit.vantage in vantages or probe.exit.source in sources
        if not mine or (ports and probe.target.port not in ports):
            return None
        reached = stage not in {Stage.LOGIN, Stage.RECIPIENT, Stage.LIST} or probe.depth is Depth.FULL
        return Meeting(how, stage, said, icmp=icmp) if reached else None

    return rule


def port(number: int, how: Outcome, *, spoken: str = "", stage: Stage = Stage.CONNECT) -> Rule:
    """A port that answers everybody in its own way."""

    def rule(probe: Probe, now: float) -> Meeting | None:
        return Meeting(how, stage, spoken=spoken) if probe.target.port == number else None

    return rule


def exits_of(static: int = 4, dynamic: int = 2, *, elsewhere: bool = True, family: int = 4) -> tuple[Exit, ...]:
    """Sources of an application of v3 in us."""
    net = "203.0.113" if family == 4 else "2001:db8:1:"
    dot = "." if family == 4 else ":"

    def some(vantage: Vantage, environment: str, count: int, first: int) -> list[Exit]:
        names = range(first, first + count)
        return [Exit(vantage, environment, f"{environment}-{family}-{n}", f"{net}{dot}{n}") for n in names]

    own = some(Vantage.DYNAMIC, "v3-us-dynamic", dynamic, 10) + some(Vantage.STATIC, "v3-us-static", static, 20)
    if elsewhere:
        own += some(Vantage.OTHER_GENERATION, "v2-us-static", 2, 40)
        own += some(Vantage.OTHER_REGION, "v3-eu-static", 2, 50)
        own += some(Vantage.OTHER_REGION_DYNAMIC, "v3-eu-dynamic", 1, 60)
    return tuple(own)


def question(*services: Service, credentials: bool = False, ports: dict[Service, int] | None = None) -> Question:
    """A question about these services of the host; IMAP if none is named."""
    usual = {Service.IMAP: 993, Service.SMTP: 465, Service.CALDAV: 443} | (ports or {})
    username = "ann@example.com" if credentials else ""
    targets = tuple(Target(s, HOST, usual[s], username=username) for s in services or (Service.IMAP,))
    return Question("app", "v3", "us", "subject", targets, "ann@example.com", with_credentials=credentials)
