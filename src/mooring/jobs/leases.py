"""One kind of ownership: a lease with a generation, by the database's clock, that fences every write.

A process is a holder, kept alive by one row; its leases live as long as that row does. Whoever takes a
lease over counts its generation up, and every write of a holder locks the lease row with the
generation it knows. So a holder that stalled, was cut off, or merely believes itself alive cannot
write: the database refuses, not hope.
"""

import asyncio
import os
import platform
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import structlog

from mooring.errors import LostOwnership, MooringError
from mooring.ids import new_id
from mooring.jobs import repository
from mooring.store import Connection, Database

log = structlog.get_logger()

BEATS_PER_LEASE = 5
"""Heartbeats in a lease time: four may be lost before anybody else may take over."""


class LeaseKind(StrEnum):
    """What can be held."""

    #: a grant's mailbox: who holds it synchronises it
    MAILBOX = "mailbox"
    #: a webhook: who holds it delivers to it
    WEBHOOK = "webhook"
    #: a grant that is to be moved: who holds it proves the new side and takes the mailbox over
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for one subject, as long as nobody counted the generation up."""

    kind: LeaseKind
    subject: str
    generation: int


class Holder:
    """This process as a holder of leases."""

    def __init__(self, db: Database, lease: timedelta) -> None:
        self._db = db
        self._lease = lease
        self.id = f"{platform.node()}-{os.getpid()}-{new_id()[:8]}"

    async def run(self) -> None:
        """Keep the holder alive until cancelled; a database that is away is waited for."""
        while True:
            try:
                await repository.beat(self._db, self.id, self._lease)
            except MooringError as e:
                log.warning("lease.heartbeat_failed", holder=self.id, error=str(e))
            await asyncio.sleep(self._lease.total_seconds() / BEATS_PER_LEASE)

    async def join(self) -> None:
        """Become a holder, before the first claim."""
        await repository.beat(self._db, self.id, self._lease)

    async def claim(self, kind: LeaseKind, *, scopes: list[str] | None, limit: int) -> list[Lease]:
        """Take what is free, or whose holder has died.

        Args:
            scopes: the environments that this process serves; None for all.
        """
        taken = await repository.claim(self._db, kind, scopes, self.id, limit)
        return [Lease(kind, subject, generation) for subject, generation in taken.items()]

    async def held(self, kind: LeaseKind) -> dict[Lease, int]:
        """What is really ours now, by the database, and how often somebody nudged us about it."""
        return {Lease(kind, s, g): nudges for s, g, nudges in await repository.held(self._db, kind, self.id)}

    async def release(self, lease: Lease) -> None:
        """Give one lease back."""
        await repository.release(self._db, lease.kind, lease.subject, lease.generation)

    async def leave(self) -> None:
        """Give everything back at once, so that nobody has to wait for this process to be thought dead."""
        await repository.leave(self._db, self.id)


async def fence(tx: Connection, lease: Lease) -> None:
    """Keep the lease from changing hands until the transaction ends.

    Raises:
        LostOwnership: it has changed hands.
    """
    if not await repository.lock(tx, lease.kind, lease.subject, lease.generation):
        raise LostOwnership(f"the lease of {lease.kind} {lease.subject} has moved on")


async def take(tx: Connection, kind: LeaseKind, subject: str, *, scope: str, holder: str) -> None:
    """Hand a lease to this holder, in this scope, from whoever has it.

    Raises:
        LostOwnership: there is no such lease, or the holder is not alive.
    """
    if not await repository.take(tx, kind, subject, scope, holder):
        raise LostOwnership(f"the lease of {kind} {subject} cannot be taken by {holder}")


@asynccontextmanager
async def fenced(db: Database, lease: Lease) -> AsyncGenerator[Connection]:
    """A transaction in which the lease cannot change hands: the one way in which a holder writes.

    Raises:
        LostOwnership: it has changed hands; nothing was written.
    """
    async with db.transaction() as tx:
        await fence(tx, lease)
        yield tx
