"""The ledger: what was really dialled, by which source, for whom. No ledger, no dial.

Intents are committed before anything leaves. Whoever arrives while a commit is under way waits for
the next one and shares it, so a burst of dials costs few commits and a lone dial waits for nothing.
What became of a dial follows in batches of the same kind, without holding anybody up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog

from mooring.clock import Clock
from mooring.config import SourceConfig
from mooring.egress import repository
from mooring.egress.types import Intent, LedgerEntry, Settlement, Traffic
from mooring.errors import LedgerUnavailable, MooringError
from mooring.store import Database

log = structlog.get_logger()

T = TypeVar("T")

KNOWN = timedelta(days=7)
"""How long ago a host may have answered a source for its silence to be news."""

COMMIT_TIMEOUT_S = 5.0
"""Seconds to wait for a commit before the dial is given up; a commit takes about a millisecond."""

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
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._intents.add(intent)
        except Exception as e:
            raise LedgerUnavailable("the ledger could not be written, so nothing was dialled", reason="ledger") from e

    async def settle(self, settlement: Settlement) -> None:
        """Return once it is committed; a failure is logged, since what was dialled was dialled."""
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._settlements.add(settlement)
        except Exception as e:
            log.warning("ledger.settlement_lost", id=str(settlement.id), error=repr(e))

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
        traffic: Traffic | None = None,
        since: datetime | None = None,
        limit: int = 50,
        before: tuple[datetime, str] | None = None,
    ) -> list[LedgerEntry]:
        """Which of our addresses contacted what, for whom, when: newest first (spec B2)."""
        await self._settlements.flushed()
        return await repository.entries(
            self._db, application_id=application_id, subject=subject, server=server, source=source,
            traffic=traffic, since=since, limit=limit, before=before,
        )  # fmt: skip

    async def ordinary(
        self, application_id: str, subject: str | None, hosts: Sequence[str], since: datetime
    ) -> list[LedgerEntry]:
        """What became of an application's ordinary connections with these hosts, the oldest first.

        Args:
            subject: None for those of all its accounts.
        """
        await self._settlements.flushed()
        return await repository.ordinary(self._db, application_id, subject, hosts, since)

    async def opened_from(
        self, source: SourceConfig, *, besides: Sequence[str], since: datetime, until: datetime | None = None
    ) -> datetime | None:
        """When the source last opened a connection with any other host than these; None if it has not in that time."""
        await self._settlements.flushed()
        return await repository.opened_from(self._db, source, besides=besides, since=since, until=until)

    async def unanswered_from(
        self, source: SourceConfig, *, besides: Sequence[str], since: datetime
    ) -> tuple[int, int]:
        """How many other hosts did not answer the source since then, and how many of these had in the week before."""
        await self._settlements.flushed()
        return await repository.unanswered_from(self._db, source, besides=besides, since=since, known=KNOWN)

    async def keep_partitions(self) -> None:
        """Make the coming days' partitions and drop those past retention."""
        today = self._clock.now().date()
        await repository.ensure_partitions(self._db, today, days=PARTITIONS_AHEAD)
        await repository.drop_partitions(self._db, (self._clock.now() - self._retention).date())

    async def aclose(self) -> None:
        """Write what is still to be written."""
        await self._intents.flushed()
        await self._settlements.flushed()


@dataclass(eq=False, slots=True)
class _Item(Generic[T]):
    value: T
    written: asyncio.Future[None]


class GroupCommit(Generic[T]):
    """Collects items while one batch is being written, and writes the next batch with all of them."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[_Item[T]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, value: T) -> None:
        """Return once the value is written. Whoever gives up before its turn has not written it.

        Raises:
            Whatever the write raised.
        """
        item = _Item(value, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        self._wake()
        try:
            await item.written
        except asyncio.CancelledError:
            if item in self._waiting:
                self._waiting.remove(item)
            raise

    def add_unawaited(self, value: T) -> None:
        """Have the value written; a failure is logged."""
        item = _Item(value, asyncio.get_running_loop().create_future())
        item.written.add_done_callback(_log_failure)
        self._waiting.append(item)
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
                await self._write_batch(batch)
            except Exception as e:
                if len(batch) == 1 or isinstance(e, MooringError):
                    _finish(batch, e)
                    continue
                # The database would not take one of them: the others do not go down with it.
                for item in batch:
                    await self._write_alone(item)

    async def _write_alone(self, item: _Item[T]) -> None:
        try:
            await self._write_batch([item])
        except Exception as e:
            _finish([item], e)

    async def _write_batch(self, batch: list[_Item[T]]) -> None:
        await self._write([item.value for item in batch])
        _finish(batch, None)


def _finish(batch: Sequence[_Item[T]], error: Exception | None) -> None:
    for item in batch:
        if item.written.done():
            continue
        if error is None:
            item.written.set_result(None)
        else:
            item.written.set_exception(error)


def _log_failure(written: asyncio.Future[None]) -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        log.warning("ledger.write_failed", error=repr(error))
