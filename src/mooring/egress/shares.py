"""What one process may use of the berths: they are counted in memory, and divided among the processes that live.

People who wait (the API) have a reserve, synchronisation (the workers) has the rest, and each part is divided by the
number of living processes that leave by the source. A process knows of the others by the rows that each renews.
"""

import asyncio
import os
import platform
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import structlog

from mooring.config import PoolConfig
from mooring.egress import repository
from mooring.egress.berths import Berths
from mooring.errors import MooringError
from mooring.ids import new_id
from mooring.store import Database

log = structlog.get_logger()

RESERVE = 5
"""People have one berth of so many."""
BEATS = 5
"""Rows are renewed so often in a lease time, and the others are looked at as often."""
HEARD = 2
"""Beats after which every other process has had a look since this one came."""


class Part(StrEnum):
    """What a process uses berths for."""

    #: answering somebody: authentication, live reads, sending
    PEOPLE = "people"
    #: synchronisation and moves
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Fellow:
    """A living process of the same part; ``environments`` is None for all."""

    process: str
    environments: frozenset[str] | None


def part_of(connections: int, part: Part) -> int:
    """The berths of this part, of so many connections of one source with one server."""
    people = max(1, connections // RESERVE)
    return people if part is Part.PEOPLE else max(1, connections - people)


def divided(
    berths: int, pools: Sequence[PoolConfig], fellows: Sequence[Fellow], process: str, *, alone: int | None = None
) -> dict[str, int]:
    """The share of one process in each source, by the source's name; the shares of all are the berths, and no more.

    Where there are more processes than berths, each has one nevertheless, since it could do nothing without.

    Args:
        berths: of each source.
        fellows: the living processes of the part; ``process`` may be missing.
        alone: the share where there are others, which do not know of this process yet; None when they do.
    """
    found: dict[str, int] = {}
    for source in {source.name for pool in pools for source in pool.sources}:
        environments = {str(pool.environment) for pool in pools if any(s.name == source for s in pool.sources)}
        sharers = {
            fellow.process for fellow in fellows if fellow.environments is None or fellow.environments & environments
        } | {process}
        each, left = divmod(berths, len(sharers))
        share = max(1, each + (sorted(sharers).index(process) < left))
        found[source] = share if alone is None or len(sharers) == 1 else min(share, alone)
    return found


class Shares:
    """This process among those that divide the berths.

    Args:
        connections: of one source with one server, of all processes together.
        pools: all that are declared, served by this process or not.
        environments: those that this process leaves by; None for all.
        lease: how long a process may be silent before its berths are divided among the others.
    """

    def __init__(
        self,
        db: Database,
        berths: Berths,
        *,
        connections: int,
        pools: Sequence[PoolConfig],
        part: Part,
        environments: Sequence[str] | None,
        lease: timedelta,
    ) -> None:
        self._db = db
        self._berths = berths
        self._connections = part_of(connections, part)
        self._pools = pools
        self._part = part
        self._environments = list(environments) if environments is not None else None
        self._lease = lease
        self._process = f"{platform.node()}-{os.getpid()}-{new_id()[:8]}"
        self._beats = 0
        self._renewed_at = 0.0

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Have a share for as long as the block lasts.

        Raises:
            StoreUnavailable: before the block.
        """
        await self._beat()
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            try:
                await repository.give_up_share(self._db, self._process)
            except MooringError as e:
                # Its share is divided among the others when its lease ends, as after a kill.
                log.warning("berths.cannot_leave", error=str(e))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / BEATS)
            try:
                await self._beat()
            except MooringError as e:
                log.warning("berths.not_renewed", error=str(e))
            except Exception:
                log.exception("berths.defect")

    async def _beat(self) -> None:
        """Say that this process lives and what it uses, and take the share that is due to it.

        Two that come at once write before they look, so that one of them sees the other. Who comes to others begins
        with what harms nobody, until they have seen it.
        """
        await repository.renew_share(
            self._db, self._process, self._part, self._environments, self._berths.counts(), self._lease
        )
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at > self._lease.total_seconds():
            self._beats = 0
        self._renewed_at = now
        found = await repository.shares(self._db, self._part)
        fellows = [Fellow(name, frozenset(own) if own is not None else None) for name, own in found]
        first = 1 if self._part is Part.PEOPLE else 0
        alone = first if self._beats < HEARD else None
        self._beats += 1
        self._berths.set_limits(divided(self._connections, self._pools, fellows, self._process, alone=alone))
