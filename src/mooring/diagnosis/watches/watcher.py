"""Looking for watches: those that are due are claimed, looked at side by side, and written down, whoever dies."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

import msgspec
import structlog

from mooring.diagnosis.interfaces import Budget, Prober
from mooring.diagnosis.progress import Progress
from mooring.diagnosis.repository import watches as repository
from mooring.diagnosis.types import Depth, Exit, Lookup, Observation, Outcome, Probe, Question, Secrets, Target, Vantage
from mooring.diagnosis.verdict.cells import FILTERS, UNDECIDED, speaks
from mooring.diagnosis.watches.authenticating import Authenticating, Pauses
from mooring.diagnosis.watches.doors import doors_now
from mooring.diagnosis.watches.rules import (
    Change,
    ChangeKind,
    Look,
    Rhythm,
    Standing,
    WatchState,
    after_look,
    after_time,
    next_look,
    patience,
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
        claims = await self._claimed(AT_ONCE)
        await asyncio.gather(*map(self._guarded, claims))
        return len(claims)

    async def _begin(self) -> None:
        """Begin to look at what is due; a database that is away, or refuses, is asked again later."""
        room = AT_ONCE - len(self._looking)
        if room <= 0 or not self._environments:
            return
        try:
            claims = await self._claimed(room)
        except MooringError as e:
            log.warning("watch.cannot_claim", error=str(e))
            return
        except Exception:
            log.exception("watch.defect")
            return
        for claim in claims:
            task = asyncio.create_task(self._guarded(claim))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _claimed(self, room: int) -> list[WatchClaim]:
        """What is due and can be read; the rest is not claimed again before its time is over."""
        claims, unreadable = await repository.claim(self._db, self._environments, room, CLAIMED)
        for watch_id, why in unreadable:
            log.error("watch.unreadable", watch=watch_id, error=why)
        return claims

    async def _guarded(self, claim: WatchClaim) -> None:
        """A defect of ours, or a database that is away, leaves the watch to be claimed again."""
        try:
            await self._look(claim)
        except MooringError as e:
            log.warning("watch.not_looked_at", watch=claim.id, error=str(e))
        except Exception:
            log.exception("watch.defect", watch=claim.id)

    async def _look(self, claim: WatchClaim) -> None:
        standing, changes = after_time(claim.standing, claim.created_at, claim.now)
        if not standing.state.is_end:
            standing, changes = await self._looked(claim)
        due_in = next_look(standing, claim.now, self._rhythm, self._chance)
        is_asked_for = claim.authentication in {Authentication.WANTED, Authentication.TRYING}
        connects = is_asked_for and standing.may_connect
        if due_in is not None and is_asked_for and standing.state is WatchState.OPEN and not connects:
            due_in = min(due_in, patience(standing, claim.now, self._rhythm))
        async with self._db.transaction() as tx:
            is_ours = await repository.record(tx, claim, standing, changes, due_in=due_in, give_back=not connects)
            if is_ours:
                await _tell(tx, claim, standing, changes)
        if not is_ours or not connects or due_in is None:
            return
        pauses = Pauses(self._rhythm.every, patience(standing, claim.now, self._rhythm), due_in)
        became = await self._authenticating.carry_out(claim, pauses)
        if became is not None:
            log.info("watch.authenticated", watch=claim.id, became=str(became))

    async def _looked(self, claim: WatchClaim) -> tuple[Standing, list[Change]]:
        """What is known after having looked."""
        question = claim.question
        lookups = await self._looked_up(question)
        exits = {e.address: e for e in self._exits(question) if e.vantage is Vantage.STATIC}
        doors = doors_now(claim.standing.doors, exits.values(), question.targets, lookups)
        problems = {lookup.detail or lookup.problem: None for lookup in lookups.values() if lookup.problem}
        if not doors.all:
            problem = " ".join(problems) or "no exit of ours fits"
            return msgspec.structs.replace(claim.standing, problem=problem, is_complete=False), []
        chosen = to_look_at(claim.standing, doors.to_try, claim.now, self._chance)
        targets = {(t.service, t.host, t.port): t for t in question.targets}
        seen = await self._seen(
            question, [(exits[d.address], targets[d.service, d.host, d.port], d.server) for d in chosen]
        )
        problems |= dict.fromkeys(sorted(f"{o.source}: {o.detail}" for o in seen if o.outcome is Outcome.OURS))
        proved = await self._proved(claim, exits, seen)
        tried = {door.key for door in chosen}
        return after_look(claim.standing, Look(claim.now, doors, tried, seen, proved, " ".join(problems)))

    async def _looked_up(self, question: Question) -> dict[str, Lookup]:
        ports = {target.host: target.port for target in question.targets}
        found = await asyncio.gather(*(self._prober.look_up(question, h, p) for h, p in ports.items()))
        return {lookup.host: lookup for lookup in found}

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

    async def _proved(self, claim: WatchClaim, exits: Mapping[str, Exit], seen: Sequence[Observation]) -> set[str]:
        """Our addresses that work whatever the server does: it spoke to them just now, or a control target answered.

        A reset, or a connection that says nothing, may come from a box of our own; what is remembered, from before it
        broke.
        """
        now = [o for o in seen if not o.remembered]
        proved = {o.source_address for o in now if o.outcome not in UNDECIDED and speaks(o)}
        guarded = claim.standing.may_close - proved
        failed_at: dict[tuple[str, int], datetime] = {}
        for o in now:
            if o.outcome in FILTERS and o.source_address in guarded:
                key = (o.source_address, o.family)
                failed_at[key] = max(o.at, failed_at.get(key, o.at))
        controls = await asyncio.gather(
            *(
                self._prober.control(claim.question, exits[address], family, since=at)
                for (address, family), at in failed_at.items()
            )
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


def _nobody(_: Progress) -> None:
    pass


async def _never() -> bool:
    return False
