"""What became of deliveries, written in groups: while one group is being committed, the next one gathers.

A process that dies takes with it what it has not committed: those deliveries are made again, never lost.
"""

import asyncio

import structlog

from mooring.jobs import Lease, fenced
from mooring.store import Database, StoreUnavailable
from mooring.webhooks.repository import lanes as repository
from mooring.webhooks.types import Attempt, Lane, Parked

log = structlog.get_logger()

WAITING_MAX = 1_000
"""Outcomes that may wait to be written; then deliveries wait, too. As many may be made again after a kill."""
RETRY_S = 1.0


class Recorder:
    """Writes for one webhook, for as long as its lease holds."""

    def __init__(self, db: Database, webhook_id: str, lease: Lease) -> None:
        self._db = db
        self._webhook_id = webhook_id
        self._lease = lease
        self._lanes: dict[str, Lane] = {}
        self._attempts: list[Attempt] = []
        self._parked: dict[tuple[str, int], Parked] = {}
        self._taken_apart: list[tuple[str, int]] = []
        self._under_way: frozenset[str] = frozenset()
        self._apart_under_way: frozenset[tuple[str, int]] = frozenset()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._flushing = asyncio.Lock()

    def __contains__(self, grant_id: str) -> bool:
        """Whether the database does not know yet how far this grant's lane has come."""
        return grant_id in self._lanes or grant_id in self._under_way

    @property
    def apart(self) -> frozenset[tuple[str, int]]:
        """The parked facts of which the database does not know yet what became of them."""
        return self._apart_under_way.union(self._taken_apart, self._parked)

    def advance(self, lane: Lane) -> None:
        """Write, soon, that the lane has come so far."""
        self._lanes[lane.grant_id] = lane
        self._news.set()

    def attempt(self, attempt: Attempt) -> None:
        """Write, soon, what was tried."""
        self._attempts.append(attempt)
        if len(self._attempts) >= WAITING_MAX:
            self._room.clear()
        self._news.set()

    def park(self, parked: Parked) -> None:
        """Write, soon, that a fact is delivered apart from now on, or is a dead letter."""
        self._parked[(parked.grant_id, parked.sequence)] = parked
        self._news.set()

    def taken_apart(self, parked: Parked) -> None:
        """Write, soon, that a parked fact was taken."""
        self._parked.pop((parked.grant_id, parked.sequence), None)
        self._taken_apart.append((parked.grant_id, parked.sequence))
        self._news.set()

    async def room(self) -> None:
        """Return when there is room for another outcome."""
        await self._room.wait()

    async def run(self) -> None:
        """Write until cancelled.

        Raises:
            LostOwnership: somebody else delivers now; what was not written is delivered again.
        """
        while True:
            await self._news.wait()
            try:
                await self.flush()
            except StoreUnavailable as e:
                log.warning("webhook.cannot_record", webhook=self._webhook_id, error=str(e))
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write everything that waits, in one transaction. Raises: LostOwnership, StoreUnavailable."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        self._news.clear()
        lanes, attempts = list(self._lanes.values()), self._attempts
        parked, taken = list(self._parked.values()), self._taken_apart
        self._lanes, self._attempts, self._parked, self._taken_apart = {}, [], {}, []
        self._under_way |= {lane.grant_id for lane in lanes}
        self._apart_under_way = self._apart_under_way.union(taken, ((p.grant_id, p.sequence) for p in parked))
        try:
            async with fenced(self._db, self._lease) as tx:
                if lanes:
                    await repository.advance(tx, self._webhook_id, lanes)
                if attempts:
                    await repository.record(tx, self._webhook_id, attempts)
                if parked:
                    await repository.park(tx, self._webhook_id, parked)
                if taken:
                    await repository.unpark(tx, self._webhook_id, taken)
        except StoreUnavailable:
            # Whatever was noted meanwhile is newer than what goes back.
            self._lanes = {lane.grant_id: lane for lane in lanes} | self._lanes
            self._parked = {(p.grant_id, p.sequence): p for p in parked} | self._parked
            self._attempts[:0], self._taken_apart[:0] = attempts, taken
            self._news.set()
            raise
        finally:
            self._under_way, self._apart_under_way = frozenset(), frozenset()
        if len(self._attempts) < WAITING_MAX:
            self._room.set()
