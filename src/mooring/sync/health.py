"""How a mailbox's synchronisation is doing: written on its grant, with the facts that this makes true."""

from datetime import timedelta
from typing import Any

import structlog

from mooring.clock import Clock
from mooring.errors import LostOwnership, MooringError, ProviderFailure
from mooring.events import EventType, Fact, append
from mooring.grants import Grant, GrantStatus, clear_landmarks, set_failure_told, set_status, set_sync_health
from mooring.jobs import Lease, fenced
from mooring.store import Connection, Database
from mooring.sync.failures import as_stored

log = structlog.get_logger()

UNWATCHED = timedelta(minutes=5)
"""How long a mailbox may go without a look before that is a gap: ten times as long as it goes when all is well."""


class Health:
    """Writes what became of the passes over one mailbox, for as long as its lease holds."""

    def __init__(self, db: Database, clock: Clock, grant: Grant, lease: Lease) -> None:
        self._db = db
        self._clock = clock
        self._grant = grant
        self._lease = lease

    async def in_step(self) -> None:
        """Everything that the mailbox holds has been looked at.

        Raises: LostOwnership, and then nothing was written.
        """
        async with fenced(self._db, self._lease) as tx:
            before = await set_sync_health(tx, self._grant.id, None)
            if await set_status(tx, self._grant.id, GrantStatus.VALID):
                await self._tell(tx, EventType.GRANT_UPDATED)
            if before.failure_told:
                await self._tell(tx, EventType.SYNC_RECOVERED)
            if before.synced_at is None:
                await clear_landmarks(tx, self._grant.id)
                await self._tell(tx, EventType.SYNC_COMPLETED)
            elif self._clock.now() - before.synced_at > UNWATCHED:
                gap = {"reason": "unwatched", "since": int(before.synced_at.timestamp())}
                await self._tell(tx, EventType.SYNC_GAP, **gap)

    async def failed(self, error: MooringError) -> bool:
        """A session ended like this; False when that is no longer ours to say."""
        told = as_stored(error)
        try:
            async with fenced(self._db, self._lease) as tx:
                before = await set_sync_health(tx, self._grant.id, told)
                if is_refused_login(error):
                    if await set_status(tx, self._grant.id, GrantStatus.INVALID):
                        await self._tell(tx, EventType.GRANT_EXPIRED)
                elif before.error is None and not before.failure_told:
                    # An error of which nobody was told is a refused login: that grant.expired says more.
                    await set_failure_told(tx, self._grant.id)
                    await self._tell(tx, EventType.SYNC_FAILED, error=told)
        except LostOwnership:
            return False
        except MooringError as e:
            log.warning("sync.health_not_written", grant=self._grant.id, error=str(e))
        return True

    async def _tell(self, tx: Connection, event: EventType, **data: Any) -> None:
        grant = self._grant
        fact = Fact(event, {"grant_id": grant.id, "provider": grant.provider, **data})
        await append(tx, application_id=grant.application_id, grant_id=grant.id, facts=[fact])


def is_refused_login(error: MooringError) -> bool:
    """Whether the server no longer accepts the grant's credentials."""
    return isinstance(error, ProviderFailure) and error.stage == "login" and error.reason == "authentication"
