"""Looking for watches: those that are due are claimed, looked at side by side, and written down, whoever dies."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

import structlog

from mooring.diagnosis.interfaces import Budget, Prober
from mooring.diagnosis.progress import Progress
from mooring.diagnosis.repository import watches as repository
from mooring.diagnosis.types import Depth, Exit, Lookup, Observation, Probe, Question, Secrets, Target, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, UNDECIDED, is_answer
from mooring.diagnosis.watches.authenticating import Authenticating
from mooring.diagnosis.watches.rules import (
    Change,
    ChangeKind,
    Door,
    Rhythm,
    Standing,
    WatchState,
    after_look,
    after_time,
    next_look,
    to_look_at,
)
from mooring.diagnosis.watches.watch import Authentication, WatchClaim
from mooring.errors import MooringError
from mooring.events import EventType, Fact, append
from mooring.store import Connection, Database

log = structlog.get_logger()

TICK_S = 1.0
"""Seconds between looks at what is due."""
AT_ONCE = 32
"""Watches that one process looks at side by side."""
CLAIMED = timedelta(minutes=4)
"""How long one look may take, an authentication with it; after this its process is thought dead."""
LONGEST_S = 150.0
"""Seconds for one look's probes; what they have not seen by then was not looked at."""
SPREAD_S = 3.0
"""Seconds over which the probes of one look leave, so that no server sees them as a burst."""


class Watcher:
    """This process's share of the watches.

    Args:
        exits: from a question to the sources that it may leave by.
        environments: whose watches can be looked at from here, such as ``v3-us-static``.
        spread_s: see ``SPREAD_S``.
    """

    def __init__(
        self,
        db: Database,
        prober: Prober,
        budget: Budget,
        exits: Callable[[Question], Sequence[Exit]],
        authenticating: Authenticating,
        rhythm: Rhythm,
        *,
        environments: Sequence[str],
        chance: Random | None = None,
        spread_s: float = SPREAD_S,
    ) -> None:
        self._db = db
        self._prober = prober
        self._budget = budget
        self._exits = exits
        self._authenticating = authenticating
        self._rhythm = rhythm
        self._environments = list(environments)
        self._chance = chance or Random()  # noqa: S311 - an order, no secret
        self._spread_s = spread_s
        self._looking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look whenever something is due, until cancelled."""
        try:
            while True:
                await self._begin()
                await asyncio.sleep(TICK_S)
        finally:
            under_way = list(self._looking)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def look_once(self) -> int:
        """Look at all that is due now, and return when that is done; how many there were."""
        claims = await repository.claim(self._db, self._environments, AT_ONCE, CLAIMED)
        await asyncio.gather(*map(self._guarded, claims))
        return len(claims)

    async def _begin(self) -> None:
        room = AT_ONCE - len(self._looking)
        if room <= 0 or not self._environments:
            return
        try:
            claims = await repository.claim(self._db, self._environments, room, CLAIMED)
        except MooringError as e:
            log.warning("watch.cannot_claim", error=str(e))
            return
        for claim in claims:
            task = asyncio.create_task(self._guarded(claim))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _guarded(self, claim: WatchClaim) -> None:
        """A defect of ours, or a database that is away, leaves the watch to be claimed again."""
        try:
            await self._look(claim)
        except MooringError as e:
            log.warning("watch.not_looked_at", watch=claim.id, error=str(e))
        except Exception:
            log.exception("watch.defect", watch=claim.id)

    async def _look(self, claim: WatchClaim) -> None:
        standing, changes = after_time(claim.standing, claim.now)
        if not standing.state.is_end:
            standing, changes = await self._looked(claim)
        due_in = next_look(standing, claim.now, self._rhythm, self._chance)
        connects = standing.state is WatchState.OPEN and claim.authentication in {
            Authentication.WANTED, Authentication.TRYING,
        }  # fmt: skip
        async with self._db.transaction() as tx:
            is_ours = await repository.record(tx, claim, standing, changes, due_in=due_in, give_back=not connects)
            if is_ours:
                await _tell(tx, claim, standing, changes)
        if not is_ours or not connects:
            return
        again_in = self._rhythm.every
        ended = await self._authenticating.carry_out(claim, again_in=again_in, due_in=due_in or again_in)
        if ended is not None:
            log.info("watch.authenticated", watch=claim.id, became=str(ended))

    async def _looked(self, claim: WatchClaim) -> tuple[Standing, list[Change]]:
        """What is known after having looked."""
        question = claim.question
        lookups = await self._looked_up(question)
        ways = self._ways(question, lookups)
        if not ways:
            problem = next((x.detail or x.problem for x in lookups.values() if x.problem), "no exit of ours fits")
            return _without_a_look(claim.standing, problem), []
        doors = [door for door, _, _, _ in ways]
        chosen = {door.key for door in to_look_at(claim.standing, doors, self._chance)}
        looked = [way for way in ways if way[0].key in chosen]
        seen = await self._seen(question, [(e, t, a) for _, e, t, a in looked])
        proved = await self._proved(claim, seen)
        return after_look(claim.standing, doors, seen, proved, claim.now)

    async def _looked_up(self, question: Question) -> dict[str, Lookup]:
        ports = {target.host: target.port for target in question.targets}
        found = await asyncio.gather(*(self._prober.look_up(question, h, p) for h, p in ports.items()))
        return {lookup.host: lookup for lookup in found}

    def _ways(self, question: Question, lookups: dict[str, Lookup]) -> list[tuple[Door, Exit, Target, str]]:
        """Every published address of ours with every service, and the server's address that it tries."""
        static = [e for e in self._exits(question) if e.vantage is Vantage.STATIC]
        ways: list[tuple[Door, Exit, Target, str]] = []
        for target in question.targets:
            for way_out in static:
                addresses = lookups[target.host].addresses
                address = next((a for a in addresses if (6 if ":" in a else 4) == way_out.family), None)
                if address is not None:
                    door = Door(way_out.address, way_out.source, target.service, target.host, target.port)
                    ways.append((door, way_out, target, address))
        return ways

    async def _seen(self, question: Question, ways: Sequence[tuple[Exit, Target, str]]) -> list[Observation]:
        """What these probes see; what the budget spares is not looked at."""
        probes = [
            Probe(n, way_out, target, address, Depth.GREETING, self._chance.uniform(0, self._spread_s))
            for n, (way_out, target, address) in enumerate(ways, 1)
        ]
        allowed, known = await self._budget.reserve(question, probes)
        tasks = [asyncio.create_task(self._observed(question, probe)) for probe in allowed]
        try:
            done, _ = await asyncio.wait(tasks, timeout=LONGEST_S) if tasks else (set[asyncio.Task[Observation]](), ())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [*known, *(task.result() for task in done)]

    async def _observed(self, question: Question, probe: Probe) -> Observation:
        await asyncio.sleep(probe.delay_s)
        observation = await self._prober.observe(question, probe, Secrets(), may_login=_never, tell=_nobody)
        await self._budget.remember(question, observation)
        return observation

    async def _proved(self, claim: WatchClaim, seen: Sequence[Observation]) -> set[str]:
        """Our addresses that work whatever the server does: it answered them, or a control target did."""
        proved = {o.source_address for o in seen if o.outcome not in UNDECIDED and is_answer(o)}
        was_open = {door.address for door in claim.standing.doors if door.is_open}
        doubtful = {
            (o.source_address, o.family)
            for o in seen
            if o.outcome in FILTERS and o.source_address in was_open and o.source_address not in proved
        }
        by_address = {e.address: e for e in self._exits(claim.question)}
        controls = await asyncio.gather(
            *(self._prober.control(claim.question, by_address[address], family) for address, family in doubtful)
        )
        return proved | {control.source_address for control in controls if control.works}


async def _tell(tx: Connection, claim: WatchClaim, standing: Standing, changes: Sequence[Change]) -> None:
    """Append what has changed to the watch's own stream of facts; an application's webhooks hear it."""
    facts = [Fact(_event(change), fact_of(claim, standing, change)) for change in changes]
    await append(tx, application_id=claim.application_id, grant_id=claim.id, facts=facts)


def fact_of(claim: WatchClaim, standing: Standing, change: Change) -> dict[str, object]:
    """What a fact says of a change."""
    told: dict[str, object] = {
        "id": claim.id,
        "state": str(standing.state),
        "servers": [f"{t.service} {t.host}:{t.port}" for t in claim.question.targets],
        "change": str(change.kind),
        "at": int(change.at.timestamp()),
        "addresses": list(change.addresses),
        "open": change.open,
        "total": change.total,
        "grant_id": change.grant_id or None,
    }
    return {**told, "message": change.message} if change.message else told


def _event(change: Change) -> EventType:
    match change.kind:
        case ChangeKind.OPENED if change.is_whole:
            return EventType.WATCH_OPENED
        case ChangeKind.CLOSED:
            return EventType.WATCH_CLOSED
        case ChangeKind.EXPIRED | ChangeKind.ENDED:
            return EventType.WATCH_ENDED
        case _:
            return EventType.WATCH_CHANGED


def _without_a_look(standing: Standing, problem: str) -> Standing:
    return Standing(standing.began, standing.state, standing.doors, problem)


def _nobody(_: Progress) -> None:
    pass


async def _never() -> bool:
    return False
