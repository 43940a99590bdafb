"""The ledger: what was really dialled, by which source, for whom. No ledger, no dial.

Intents are committed before anything leaves. Whoever arrives while a commit is under way waits for
the next one and shares it, so a burst of dials costs few commits and a lone dial waits for nothing.
What became of a dial follows in batches of the same kind, without holding anybody up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog

from mooring.clock import Clock
from mooring.egress import repository
from mooring.egress.types import Intent, LedgerEntry, Settlement
from mooring.errors import LedgerUnavailable, MooringError
from mooring.store import Database

log = structlog.get_logger()

T = TypeVar("T")

INTENT_TIMEOUT_S = 5.0
"""Seconds to wait for the commit before the dial is given up; a commit takes about a millisecond."""

PARTITIONS_AHEAD = 3
"""Days of partitions that exist in advance, so that midnight needs nobody awake."""


class Ledger:
    """Writes intents and settlements, and answers questions about them."""

    def __init__(self, db: Database, clock: Clock, retention: timedelta) -> None:
        self._db = db
        self._clock = clock
        self._retention = retention
        self._intents = GroupCommit[Intent](lambda batch: repository.insert_intents(db, batch))
        self._settlements = GroupCommit[Settlement](lambda batch: repository.settle(db, batch))

    async def intend(self, intent: Intent) -> None:
        """Return once the intent is committed.

        Raises:
            LedgerUnavailable: it could not be; the caller must not dial.
        """
        try:
            async with asyncio.timeout(INTENT_TIMEOUT_S):
                await self._intents.add(intent)
        except (TimeoutError, MooringError) as e:
            raise LedgerUnavailable("the ledger could not be written, so nothing was dialled", reason="ledger") from e

    async def settle(self, settlement: Settlement) -> None:
        """Return once it is committed; a failure is logged, since what was dialled was dialled."""
        try:
            await self._settlements.add(settlement)
        except MooringError as e:
            log.warning("ledger.settlement_lost", id=str(settlement.id), error=str(e))

    def settle_soon(self, settlement: Settlement) -> None:
        """Settle without waiting."""
        self._settlements.add_unawaited(settlement)

    async def entries(
        self,
        *,
        application_id: str | None = None,
        subject: str | None = None,
        server: str | None = None,
        source: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        before: tuple[datetime, str] | None = None,
    ) -> list[LedgerEntry]:
        """Which of our addresses contacted what, for whom, when: newest first (spec B2)."""
        await self._settlements.flushed()
        return await repository.entries(
            self._db, application_id=application_id, subject=subject, server=server, source=source,
            since=since, limit=limit, before=before,
        )  # fmt: skip

    async def keep_partitions(self) -> None:
        """Make the coming days' partitions and drop those past retention."""
        today = self._clock.now().date()
        await repository.ensure_partitions(self._db, today, days=PARTITIONS_AHEAD)
        await repository.drop_partitions(self._db, (self._clock.now() - self._retention).date())

    async def aclose(self) -> None:
        """Write what is still to be written."""
        await self._intents.flushed()
        await self._settlements.flushed()


class GroupCommit(Generic[T]):
    """Collects items while one batch is being written, and writes the next batch with all of them."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[None] | None]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Return once the item is written.

        Raises:
            Whatever the write raised.
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        self._wake()
        await written

    def add_unawaited(self, item: T) -> None:
        """Have the item written; a failure is logged."""
        self._waiting.append((item, None))
        self._wake()

    async def flushed(self) -> None:
        """Return once nothing is waiting."""
        while self._writer is not None and not self._writer.done():
            await asyncio.shield(self._writer)

    def _wake(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._write([item for item, _ in batch])
            except MooringError as e:
                self._fail(batch, e)
            else:
                for _, written in batch:
                    if written is not None and not written.done():
                        written.set_result(None)

    def _fail(self, batch: list[tuple[T, asyncio.Future[None] | None]], error: MooringError) -> None:
        for _, written in batch:
            if written is not None and not written.done():
                written.set_exception(error)
        if any(written is None for _, written in batch):
            log.warning("ledger.write_failed", items=len(batch), error=str(error))
