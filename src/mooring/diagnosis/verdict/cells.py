"""Evidence, laid out for the table: one service at one address of the server, seen from each group of ours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network

from mooring.diagnosis.types import (
    Control,
    Earlier,
    Evidence,
    Exit,
    Observation,
    Outcome,
    Service,
    Stage,
    Target,
    Vantage,
)

FILTERS = frozenset(
    {
        Outcome.SILENT, Outcome.RESET, Outcome.PROHIBITED, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.CLOSED,
        Outcome.MUTE, Outcome.POLICY, Outcome.LISTED, Outcome.LIMITED, Outcome.BROKEN,
    }
)  # fmt: skip
"""How a filter by address can look. Each can be something else as well: only a contrast tells."""

SETTINGS = frozenset({Outcome.NOT_TLS, Outcome.NO_STARTTLS, Outcome.OTHER_PROTOCOL, Outcome.CERTIFICATE, Outcome.ALERT})
"""The server speaks to us, and the question names it wrongly, or its certificate is wrong."""

UNDECIDED = frozenset({Outcome.OURS, Outcome.SPARED})
"""Says nothing of the server."""

UNANSWERED = frozenset({Outcome.SILENT, Outcome.UNREACHABLE})
"""Nothing proves that the SYN left our own network."""

STATEMENTS = frozenset({Outcome.PROHIBITED, Outcome.POLICY, Outcome.LISTED})
"""Refusals that say themselves that they are one."""


class State(StrEnum):
    """How a group of ours does at a server."""

    #: every connection of every source got through
    REACHES = "reaches"
    #: none did
    BLOCKED = "blocked"
    #: some sources always, others never
    SPLIT = "split"
    #: one and the same source did and did not
    FLAPS = "flaps"
    #: nothing was seen
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Side:
    """What one group of our addresses saw; only what says something of the server.

    Attributes:
        seen: by source, in the order of time.
    """

    vantage: Vantage
    seen: tuple[Observation, ...]

    @property
    def let_in(self) -> tuple[Observation, ...]:
        """Those that the server spoke to."""
        return tuple(o for o in self.seen if o.outcome not in FILTERS)

    @property
    def kept_out(self) -> tuple[Observation, ...]:
        return tuple(o for o in self.seen if o.outcome in FILTERS)

    @property
    def reached(self) -> tuple[Observation, ...]:
        """Those that came as far as they were meant to."""
        return tuple(o for o in self.seen if o.outcome is Outcome.REACHED)

    def of(self, *outcomes: Outcome) -> tuple[Observation, ...]:
        """Those that ended so."""
        return tuple(o for o in self.seen if o.outcome in outcomes)

    def by_source(self) -> dict[str, tuple[Observation, ...]]:
        """The same, by the published address of ours."""
        found: dict[str, tuple[Observation, ...]] = {}
        for o in self.seen:
            found[o.source_address] = (*found.get(o.source_address, ()), o)
        return found

    @property
    def refused_sources(self) -> list[str]:
        """Addresses of ours that were never let in."""
        return [a for a, seen in self.by_source().items() if all(o.outcome in FILTERS for o in seen)]

    @property
    def admitted_sources(self) -> list[str]:
        """Addresses of ours that always were."""
        return [a for a, seen in self.by_source().items() if all(o.outcome not in FILTERS for o in seen)]

    @property
    def state(self) -> State:
        if not self.seen:
            return State.UNKNOWN
        if not self.kept_out:
            return State.REACHES
        if not self.let_in:
            return State.BLOCKED
        if len(self.refused_sources) + len(self.admitted_sources) == len(self.by_source()):
            return State.SPLIT
        return State.FLAPS

    def all_are(self, *outcomes: Outcome) -> bool:
        """Whether something was seen, and all of it ended so."""
        return bool(self.seen) and all(o.outcome in outcomes for o in self.seen)


@dataclass(frozen=True, slots=True)
class Cell:
    """One service at one address of the server.

    Attributes:
        layout: all of the evidence, for what a row asks beyond the cell.
        asked: observations of the port that was asked about, broken exits left out; without the alternatives.
        alternatives: of other ports and modes at the same address.
    """

    layout: "Layout" = field(repr=False)
    target: Target
    address: str
    asked: tuple[Observation, ...]
    alternatives: tuple[Observation, ...]

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    def side(self, vantage: Vantage) -> Side:
        return Side(vantage, tuple(o for o in self.asked if o.vantage is vantage))

    @property
    def dynamic(self) -> Side:
        return self.side(Vantage.DYNAMIC)

    @property
    def static(self) -> Side:
        return self.side(Vantage.STATIC)

    @property
    def own(self) -> Side:
        """Both of the application's own groups."""
        both = (Vantage.DYNAMIC, Vantage.STATIC)
        return Side(Vantage.STATIC, tuple(o for o in self.asked if o.vantage in both))


class Layout:
    """The evidence, by cells, without what came through an exit of ours that is broken."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.question = evidence.question
        self._controls = {(c.source, c.family): c for c in _credible(evidence)}
        self._decided = tuple(o for o in evidence.observations if o.outcome not in UNDECIDED)
        self._spoken_to = {(o.source, o.family) for o in self._decided if speaks(o)}
        self._answered = {(o.source, o.family) for o in self._decided if is_answer(o)}

    def cells(self, target: Target) -> list[Cell]:
        """One for each address of the target's host that something is known of."""
        return [self.cell(target, address) for address in self.addresses(target)]

    def addresses(self, target: Target) -> list[str]:
        """The addresses that were looked at, in the order of the lookup."""
        at = {o.address for o in self.evidence.observations if o.service is target.service and o.host == target.host}
        lookup = next((x for x in self.evidence.lookups if x.host == target.host), None)
        return [a for a in (lookup.addresses if lookup else ()) if a in at]

    def cell(self, target: Target, address: str) -> Cell:
        at = [o for o in self._decided if o.host == target.host and o.address == address]
        usable = [o for o in at if not self.is_broken(o.source, o.family)]
        asked = (o for o in usable if not o.is_alternative and (o.service, o.port) == (target.service, target.port))
        return Cell(self, target, address, _in_date(tuple(asked)), tuple(o for o in usable if o.is_alternative))

    def is_broken(self, source: str, family: int) -> bool:
        """Whether this exit of ours fails whatever the server does.

        Words of the server prove the contrary; a reset, or a connection that says nothing, may be a box of our own.
        """
        if (source, family) in self._spoken_to:
            return False
        control = self._controls.get((source, family))
        if control is not None and control.works is not None:
            return not control.works
        own = [o for o in self.evidence.observations if (o.source, o.family) == (source, family)]
        tried = [o for o in own if o.outcome is not Outcome.SPARED]
        return bool(tried) and all(o.outcome is Outcome.OURS for o in tried)

    def is_proved(self, source: str, family: int) -> bool:
        """Whether it is known that this exit works: by a control, or because somebody answered it."""
        control = self._controls.get((source, family))
        return (source, family) in self._answered or (control is not None and control.works is True)

    def broken(self, vantage: Vantage, family: int) -> list[Exit]:
        """The exits of a group that are broken in this family."""
        return [e for e in self.exits(vantage, family) if self.is_broken(e.source, family)]

    def exits(self, vantage: Vantage, family: int) -> list[Exit]:
        """The exits of a group that have this family."""
        return [e for e in self.evidence.exits if e.vantage is vantage and e.family == family]

    def is_unusable(self, vantage: Vantage, family: int) -> bool:
        """Whether the group has exits in this family, and what was tried of them is all broken."""
        tried = {o.source for o in self.evidence.observations if o.vantage is vantage and o.family == family}
        return bool(tried) and all(self.is_broken(source, family) for source in tried)

    def lacks_login(self, target: Target) -> bool:
        """Whether this service was to be logged in to, and was not from both groups."""
        if not (self.question.with_credentials and target.username and target.is_confirmed):
            return False
        seen = logged_in(o for o in self._decided if (o.service, o.host) == (target.service, target.host))
        return not {Vantage.DYNAMIC, Vantage.STATIC} <= {o.vantage for o in seen}

    def lives(self, host: str, *, but: tuple[Service, int] | None = None) -> list[Observation]:
        """What shows that the host is there: an answer of any of its ports, other than this one.

        A router's "unreachable" shows nothing of the kind.
        """
        answers = (o for o in self._decided if o.outcome not in UNANSWERED and is_answer(o))
        return [o for o in answers if o.host == host and (o.service, o.port) != but]

    def earlier(self, host: str, port: int, *vantages: Vantage) -> list[Earlier]:
        """Connections to this port that were opened before."""
        found = [e for e in self.evidence.earlier if e.host == host and e.port == port]
        return [e for e in found if not vantages or e.vantage in vantages]


def is_theirs(observation: Observation) -> bool:
    """Whether an ICMP message came from the server's own network: its address, or one of the same /24 or /48."""
    icmp = observation.icmp
    if icmp is None or not icmp.sender:
        return False
    prefix = 48 if observation.family == 6 else 24
    return ip_address(icmp.sender) in ip_network(f"{observation.address}/{prefix}", strict=False)


def speaks(observation: Observation) -> bool:
    """Whether the server itself said something: words, or its half of a handshake."""
    return bool(observation.said or {Stage.TLS, Stage.GREETING} & {*observation.passed})


def _in_date(observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
    """Without what is remembered, where it contradicts what is seen now: the server has changed since."""
    now = {(o.source, o.outcome in FILTERS) for o in observations if not o.remembered}
    contradicted = any((o.source, o.outcome not in FILTERS) in now for o in observations if o.remembered)
    return tuple(o for o in observations if not o.remembered) if contradicted else observations


def proves_nothing(observation: Observation) -> bool:
    """Whether nothing shows that the SYN left our own network: silence, or an ICMP message from somewhere else."""
    return observation.outcome in UNANSWERED or (observation.icmp is not None and not is_theirs(observation))


def is_statement(observation: Observation) -> bool:
    """Whether the refusal says itself that it is one, and comes from the server's side."""
    if observation.outcome is Outcome.PROHIBITED:
        return is_theirs(observation)
    return observation.outcome in STATEMENTS


def is_answer(observation: Observation) -> bool:
    """Whether somebody beyond our own network said something; an ICMP message may come from our own gateway."""
    if observation.icmp is not None:
        return is_theirs(observation)
    return observation.outcome not in UNANSWERED


def logged_in(observations: Iterable[Observation]) -> list[Observation]:
    """Those whose credentials were accepted."""
    return [o for o in observations if Stage.LOGIN in o.passed]


def _credible(evidence: Evidence) -> Iterator[Control]:
    """The controls that say something: a target that fails for everybody, while exits of ours work, is itself down."""
    answered = {o.source for o in evidence.observations if o.outcome not in UNDECIDED and speaks(o)}
    asked = [c for c in evidence.controls if c.how == "target"]
    for control in evidence.controls:
        if control.how == "target" and control.works is False:
            same = [c for c in asked if c.target == control.target and c.family == control.family]
            if not any(c.works for c in same) and any(c.source in answered for c in same):
                continue
        yield control
