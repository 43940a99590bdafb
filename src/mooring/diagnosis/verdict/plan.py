"""Which probes come next: one pair first, more only where it leaves a question open. Pure.

round 1   of each service and address: one dynamic and one static source, in random order within a second
round 2   where they differ, or neither gets in: every static source (each is one that the administrator has to
allow), more dynamic ones, the other lists, other ports of the host
round 3…  until the difference is no chance, or there is no more to learn
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from mooring.diagnosis.types import Depth, Evidence, Exit, Observation, Outcome, Probe, Service, Target, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, SETTINGS, UNDECIDED, Cell, Layout, is_statement, logged_in
from mooring.diagnosis.verdict.odds import CALL, chance_of_filter
from mooring.diagnosis.verdict.rows import RELAY_PORT
from mooring.grants import TlsMode

ADDRESSES = 3
"""Of one host and address family, that are judged apart."""
DYNAMIC_SOURCES = 3
"""At least so many different ones: one that is listed or banned is no filter (facts/egress 5.4)."""
ENOUGH = 5
"""Connections of each group that all differ the same way: about 0.996, and one chance in a thousand where every
connection of everybody fails half of the time."""
SELDOM = 4
"""A source that fails where others of its group get in is asked so often; fewer failures may be chance."""
ELSEWHERE = 2
"""Sources of each other list."""
ROUNDS = 4
MOST = 400
"""Probes of one diagnosis, whatever is found."""
SPREAD_S = 0.25
"""Seconds over which the probes of a round are spread."""
APART_S = 1.0
"""Seconds between two probes of the same source and port: what is down for a moment is seen by both, or by neither."""

_OWN = (Vantage.DYNAMIC, Vantage.STATIC)
_ELSEWHERE = (Vantage.OTHER_GENERATION, Vantage.OTHER_REGION, Vantage.OTHER_REGION_DYNAMIC)

_PORTS: dict[Service, tuple[tuple[int, TlsMode], ...]] = {
    Service.IMAP: ((993, TlsMode.IMPLICIT), (143, TlsMode.STARTTLS)),
    Service.SMTP: ((465, TlsMode.IMPLICIT), (587, TlsMode.STARTTLS)),
    Service.CALDAV: ((443, TlsMode.IMPLICIT), (8443, TlsMode.IMPLICIT)),
}
"""Where each service is looked for beside the port that was asked about."""

_LIFE = ((Service.SMTP, 25, TlsMode.STARTTLS), (Service.CALDAV, 443, TlsMode.IMPLICIT))
"""Ports that are open to everybody where a host is: the mail exchange's, and the web's."""


@dataclass(slots=True)
class Plan:
    """The rounds of one diagnosis.

    Args:
        chance: decides the order within a round.
    """

    chance: Random
    planned: int = 0
    rounds: int = 0
    _asked_by: Counter[str] = field(default_factory=Counter[str])
    _widened: set[tuple[Service, int, str]] = field(default_factory=set[tuple[Service, int, str]])
    _asked: set[tuple[Service, int, str, Vantage]] = field(default_factory=set[tuple[Service, int, str, Vantage]])
    _deep: dict[Service, set[str]] = field(default_factory=dict[Service, set[str]])
    _depths: dict[int, Depth] = field(default_factory=dict[int, Depth])
    _replaced: set[int] = field(default_factory=set[int])
    _looked_for_life: set[str] = field(default_factory=set[str])
    _logins_moved: set[Service] = field(default_factory=set[Service])

    def first(self, evidence: Evidence) -> list[Probe]:
        """The first pairs."""
        self.rounds = 1
        probes: list[Probe] = []
        for target in evidence.question.targets:
            depth = _depth(evidence, target)
            for address, dynamic, static in _pairs(evidence, target):
                base = self.chance.uniform(0, SPREAD_S)
                pair = [self._probe(e, target, address, depth, base) for e in (dynamic, static) if e]
                if pair and static:
                    # The same credential goes to one address of the server from two of ours, and no further.
                    depth = Depth.GREETING
                probes += pair
        return probes

    def following(self, evidence: Evidence) -> list[Probe]:
        """What is still worth knowing; nothing when there is no more to learn.

        Args:
            evidence: so far; a probe that is under way and has been silent for a while counts as silent.
        """
        if self.rounds >= ROUNDS or self.planned >= MOST:
            return []
        layout = Layout(evidence)
        probes = self._instead(layout)
        for target in evidence.question.targets:
            cells = layout.cells(target)
            for cell in cells:
                key = (target.service, target.port, cell.address)
                if pair := self._first_pair_of(cell):
                    probes += pair
                elif key in self._widened:
                    probes += self._surer(cell)
                elif _is_open_question(cell):
                    self._widened.add(key)
                    probes += self._wider(layout, cell)
            probes += self._login_elsewhere(layout, target, cells)
            probes += self._login_by_another(layout, target, cells)
        self.rounds += bool(probes)
        return probes

    def _first_pair_of(self, cell: Cell) -> list[Probe]:
        """The pair that a port has not had yet, since it was only found to be the one that serves."""
        target = cell.target
        asked = {v for v in _OWN if (target.service, target.port, cell.address, v) in self._asked}
        unseen = [v for v in _OWN if v not in asked and cell.layout.exits(v, cell.family)]
        if not unseen:
            return []
        depth = _depth(cell.layout.evidence, target)
        vantages = _OWN if depth is Depth.FULL else unseen
        return [
            self._probe(e, cell.target, cell.address, depth)
            for v in vantages
            for e in cell.layout.exits(v, cell.family)[:1]
        ]

    def _instead(self, layout: Layout) -> list[Probe]:
        """For each probe that our own side let down: the same by another exit of its group.

        What was spared is asked once more and no oftener, and not after the server has said that it is too much.
        """
        evidence = layout.evidence
        limited = any(o.outcome is Outcome.LIMITED for o in evidence.observations)
        tried = {(o.source, o.service, o.port, o.address) for o in evidence.observations}
        targets = {(t.service, t.host, t.port): t for t in evidence.question.targets}
        probes: list[Probe] = []
        for o in evidence.observations:
            was_spared = o.outcome is Outcome.SPARED
            asked = targets.get((o.service, o.host, o.port))
            target = Target(o.service, o.host, o.port, o.tls) if o.is_alternative else asked
            if o.probe in self._replaced or target is None or (was_spared and limited) or not _was_let_down(layout, o):
                continue
            self._replaced.add(o.probe)
            exits = _usable(layout, o.vantage, o.family)
            others = [e for e in exits if (e.source, o.service, o.port, o.address) not in tried]
            # One that could not even begin was spared by the budget, which has nothing else to say a moment later.
            same = [e for e in exits if e.source == o.source] if was_spared and o.elapsed_ms else []
            for way_out in self._least_asked(others or same):
                tried.add((way_out.source, o.service, o.port, o.address))
                probe = self._probe(
                    way_out, target, o.address, self._depths.get(o.probe, Depth.GREETING),
                    alternative=o.is_alternative,
                )  # fmt: skip
                probes.append(probe)
                if was_spared:
                    self._replaced.add(probe.id)
        return probes

    def _login_elsewhere(self, layout: Layout, target: Target, cells: Sequence[Cell]) -> list[Probe]:
        """The pair that logs in, at another address: the first one was dead, and no credential was shown there."""
        if _depth(layout.evidence, target) is not Depth.FULL or target.service in self._logins_moved:
            return []
        full = [o for c in cells for o in c.static.seen if self._depths.get(o.probe) is Depth.FULL]
        if not full or any(o.outcome not in FILTERS or o.passed for o in full):
            return []
        cell = next((c for c in cells if c.static.let_in), None)
        if cell is None:
            return []
        self._logins_moved.add(target.service)
        exits = [layout.exits(v, cell.family)[:1] for v in _OWN]
        return [self._probe(e, target, cell.address, Depth.FULL) for found in exits for e in found]

    def _login_by_another(self, layout: Layout, target: Target, cells: Sequence[Cell]) -> list[Probe]:
        """The dynamic login by another exit: the first was broken, so the credential was shown by none."""
        asked = self._deep.get(target.service, set())
        if not layout.lacks_login(target) or not asked:
            return []
        for cell in cells:
            exits = layout.exits(Vantage.DYNAMIC, cell.family)
            usable = [e for e in exits if e.source not in asked and not layout.is_broken(e.source, cell.family)]
            if logged_in(cell.static.seen) and usable and all(layout.is_broken(s, cell.family) for s in asked):
                return [self._probe(usable[0], target, cell.address, Depth.FULL)]
        return []

    def _wider(self, layout: Layout, cell: Cell) -> list[Probe]:
        """Every static source, more dynamic ones; where neither gets in the other lists and ports as well."""
        if any(o.outcome in SETTINGS for o in cell.own.seen):
            return self._alternatives(layout, cell)
        differ = bool(cell.own.let_in)
        probes = self._more_of(cell, Vantage.STATIC, until=ENOUGH if differ else 0)
        probes += self._more_of(cell, Vantage.DYNAMIC, until=ENOUGH if differ else 0)
        if not differ:
            for vantage in _ELSEWHERE:
                exits = layout.exits(vantage, cell.family)[:ELSEWHERE]
                probes += [self._again(e, cell) for e in exits]
            probes += self._alternatives(layout, cell)
            probes += self._signs_of_life(layout, cell)
        return probes

    def _surer(self, cell: Cell) -> list[Probe]:
        """The same again, as long as the difference may be chance."""
        static, dynamic = cell.static, cell.dynamic
        probes: list[Probe] = []
        odd = _odd_ones(cell)
        if odd:
            probes += [self._again(e, cell, after_s=n * APART_S) for e in odd for n in range(SELDOM - 1)]
            steady = [e for e in cell.layout.exits(Vantage.STATIC, cell.family) if e not in odd]
            probes += [self._again(e, cell, after_s=APART_S) for e in steady]
        elsewhere = any(cell.side(vantage).let_in for vantage in _ELSEWHERE)
        if (static.let_in and dynamic.kept_out and not _is_sure(cell)) or (elsewhere and not cell.own.let_in):
            probes += self._more_of(cell, Vantage.STATIC, until=ENOUGH)
            probes += self._more_of(cell, Vantage.DYNAMIC, until=ENOUGH)
        return probes + self._from_the_other_side(cell)

    def _from_the_other_side(self, cell: Cell) -> list[Probe]:
        """The alternatives that work from a static address, from a dynamic one: are they open to everybody?"""
        seen = {(o.port, o.vantage) for o in cell.alternatives if o.service is cell.target.service}
        worked = [o for o in cell.alternatives if o.service is cell.target.service and o.outcome is Outcome.REACHED]
        exits = cell.layout.exits(Vantage.DYNAMIC, cell.family)[:1]
        return [
            self._probe(e, Target(o.service, o.host, o.port, o.tls), cell.address, alternative=True)
            for o in worked
            if (o.port, Vantage.DYNAMIC) not in seen and not cell.dynamic.let_in and o.port != RELAY_PORT
            for e in exits
        ]

    def _more_of(self, cell: Cell, vantage: Vantage, *, until: int) -> list[Probe]:
        """Each source of the group that was not seen yet once; then all by turns, until so many were seen.

        Of the dynamic ones a few stand for all; each static one is an address that has to be allowed.
        """
        usable = _usable(cell.layout, vantage, cell.family)
        if vantage is Vantage.DYNAMIC:
            usable = usable[:DYNAMIC_SOURCES]
        seen = [o.source for o in cell.side(vantage).seen]
        fresh = [e for e in usable if e.source not in seen]
        turns = [(e, n) for n in range(1, 3) for e in usable]
        missing = max(0, until - len(seen) - len(fresh))
        return [self._again(e, cell) for e in fresh] + [
            self._again(e, cell, after_s=n * APART_S) for e, n in turns[:missing]
        ]

    def _alternatives(self, layout: Layout, cell: Cell) -> list[Probe]:
        """Where else the service may be: its other ports, and its other mode on the same port."""
        target = cell.target
        other = TlsMode.STARTTLS if (target.tls or _mode_of(target)) is TlsMode.IMPLICIT else TlsMode.IMPLICIT
        places = [place for place in _PORTS[target.service] if place[0] != target.port]
        if any(o.outcome in SETTINGS for o in cell.own.seen) and target.service is not Service.CALDAV:
            places.insert(0, (target.port, other))
        return [
            self._probe(e, Target(target.service, target.host, port, tls), cell.address, alternative=True)
            for port, tls in places
            for e in self._least_asked(_usable(layout, Vantage.STATIC, cell.family))
        ]

    def _signs_of_life(self, layout: Layout, cell: Cell) -> list[Probe]:
        """Whether the host answers at all, where mail servers and web servers do; once for each address."""
        if cell.address in self._looked_for_life:
            return []
        self._looked_for_life.add(cell.address)
        asked = {(t.service, t.port) for t in layout.question.targets}
        return [
            self._probe(e, Target(service, cell.target.host, port, tls), cell.address, alternative=True)
            for service, port, tls in _LIFE
            if (service, port) not in asked
            for e in self._least_asked(_usable(layout, Vantage.STATIC, cell.family))
        ]

    def _least_asked(self, exits: Sequence[Exit]) -> list[Exit]:
        """The one of them that has asked least, if there is one: a source has few connections with a server at a time.

        Silence takes all of them, and what is to show that the host lives would wait behind it for too long. Of equal
        ones the last: the first pairs leave by the first.
        """
        return [min(reversed(exits), key=lambda way_out: self._asked_by[way_out.source])] if exits else []

    def _again(self, way_out: Exit, cell: Cell, *, after_s: float = 0.0) -> Probe:
        return self._probe(way_out, cell.target, cell.address, after_s=after_s)

    def _probe(
        self,
        way_out: Exit,
        target: Target,
        address: str,
        depth: Depth = Depth.GREETING,
        after_s: float = 0.0,
        *,
        alternative: bool = False,
    ) -> Probe:
        self.planned += 1
        self._asked_by[way_out.source] += 1
        self._depths[self.planned] = depth
        if depth is Depth.FULL and way_out.vantage is Vantage.DYNAMIC:
            self._deep.setdefault(target.service, set()).add(way_out.source)
        if not alternative:
            self._asked.add((target.service, target.port, address, way_out.vantage))
        delay_s = after_s + self.chance.uniform(0, SPREAD_S)
        return Probe(self.planned, way_out, target, address, depth, delay_s, alternative)


def _depth(evidence: Evidence, target: Target) -> Depth:
    return Depth.FULL if evidence.question.with_credentials and target.is_confirmed else Depth.GREETING


def _was_let_down(layout: Layout, o: Observation) -> bool:
    """Whether this came to nothing by our own side, and is still worth knowing."""
    if not o.is_alternative:
        # Where credentials have been shown, no other exit shows them in its place.
        return o.outcome in UNDECIDED and not (o.depth is Depth.FULL and o.passed)
    if o.vantage is not Vantage.STATIC or not (o.outcome in UNDECIDED or layout.is_broken(o.source, o.family)):
        return False
    is_sign_of_life = o.service not in {t.service for t in layout.question.targets}
    return not (is_sign_of_life and layout.lives(o.host))


def _usable(layout: Layout, vantage: Vantage, family: int) -> list[Exit]:
    """The exits of a group that are not known to be broken."""
    return [e for e in layout.exits(vantage, family) if not layout.is_broken(e.source, family)]


def _pairs(evidence: Evidence, target: Target) -> Iterator[tuple[str, Exit | None, Exit | None]]:
    """The addresses of the host that one of our sources can reach, each with the first source of either group."""
    lookup = next((x for x in evidence.lookups if x.host == target.host), None)
    taken = {4: 0, 6: 0}
    for address in lookup.addresses if lookup else ():
        family = 6 if ":" in address else 4
        dynamic, static = (
            next((e for e in evidence.exits if e.vantage is v and e.family == family), None) for v in _OWN
        )
        if (dynamic or static) and taken[family] < ADDRESSES:
            taken[family] += 1
            yield address, dynamic, static


def _is_open_question(cell: Cell) -> bool:
    """Whether the first pair leaves anything to ask about where it left from, or about the port."""
    own = cell.own
    if not own.seen:
        return False
    if all(o.outcome in {Outcome.REACHED, Outcome.CREDENTIALS, Outcome.FAILED} for o in own.seen):
        return False
    # At RCPT, or after a login, the words themselves tell; more of the same could only lock somebody out.
    kept_out = cell.dynamic.kept_out
    return not (kept_out and all(o.depth is Depth.FULL and o.passed and is_statement(o) for o in kept_out))


def _is_sure(cell: Cell) -> bool:
    """Whether the difference between the two groups is no chance by now."""
    d, s = cell.dynamic, cell.static
    chance = chance_of_filter(
        blocked_failed=len(d.kept_out), blocked_reached=len(d.let_in), admitted_failed=len(s.kept_out),
        admitted_reached=len(s.let_in), explicit=any(map(is_statement, d.kept_out)),
    )  # fmt: skip
    return chance >= CALL or chance <= 1 - CALL


def _odd_ones(cell: Cell) -> list[Exit]:
    """Sources that failed where others of their group got in, and that failed too seldom to be sure."""
    found: list[Exit] = []
    for vantage in _OWN:
        side = cell.side(vantage)
        if not side.let_in:
            continue
        seldom = {source for source, seen in _by_name(side.kept_out).items() if len(seen) < SELDOM}
        exits = cell.layout.exits(vantage, cell.family)
        found += [e for e in exits if e.source in seldom and not cell.layout.is_broken(e.source, cell.family)]
    return found


def _by_name(seen: Sequence[Observation]) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for o in seen:
        found.setdefault(o.source, []).append(o)
    return found


def _mode_of(target: Target) -> TlsMode:
    return TlsMode.STARTTLS if target.port in {25, 143, 587, 2525} else TlsMode.IMPLICIT


def needing_control(evidence: Evidence) -> list[tuple[Exit, int]]:
    """Exits that something was silent to, or that failed themselves, and that nobody has looked at yet.

    Beside them one of each group that the server let in: a control target that fails for that one, too, is itself down.
    """
    known = {(c.source, c.family) for c in evidence.controls}
    by_name = {e.source: e for e in evidence.exits}
    seen = [o for o in evidence.observations if o.source in by_name]
    wanted = {(o.source, o.family): by_name[o.source] for o in seen if o.outcome in FILTERS | {Outcome.OURS}}
    families = {family for _, family in wanted}
    for vantage in _OWN:
        for family in families:
            fine = (o for o in seen if (o.vantage, o.family, o.outcome) == (vantage, family, Outcome.REACHED))
            wanted |= {(o.source, family): by_name[o.source] for o in list(fine)[:1]}
    return [(way_out, family) for (source, family), way_out in wanted.items() if (source, family) not in known]
