"""The copy in Sent: there once, and tried until it is.

Each try looks for the letter before it puts it there, so that an APPEND whose answer was lost, or a server
that files what it submits by itself, does not make two of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

import structlog

from mooring.clock import Clock
from mooring.egress import Traffic
from mooring.errors import MooringError, ServerRefused
from mooring.grants import Grant, GrantStatus, Keys, Sessions, by_ids, way_of
from mooring.jobs import LeaseKind, nudge
from mooring.protocols.imap import ImapClient
from mooring.send import repository
from mooring.send.outcomes import raw_context, recover
from mooring.send.repository import DueCopy
from mooring.send.sentfolder import is_there, put, sent_folder
from mooring.store import Database, StoreUnavailable
from mooring.vault import DataKey

log = structlog.get_logger()

LOOK_S = 1.0
"""Seconds between looks at what is due."""
RECOVER_S = 30.0
"""Seconds between looks at what killed processes left."""
CLAIM = 100
TRY_S = 240.0
"""Seconds for all copies of one grant that are due at a time."""
HOLD = timedelta(seconds=TRY_S + 60)
"""How long a claim lasts: longer than any try, so that no two tries overlap."""
FIRST_RETRY = timedelta(seconds=15)
LAST_RETRY = timedelta(hours=1)


class CopyKeeper:
    """Puts copies of what was sent into the mailboxes' Sent folders, and settles what killed senders left."""

    def __init__(self, db: Database, keys: Keys, sessions: Sessions, clock: Clock) -> None:
        self._db = db
        self._keys = keys
        self._sessions = sessions
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, environments: Iterable[str] | None = None) -> None:
        """Work until cancelled; several processes may.

        Args:
            environments: those that this process may leave by; None for all.
        """
        scopes = None if environments is None else list(environments)
        recovered_at: float | None = None
        try:
            while True:
                try:
                    now = self._clock.monotonic()
                    if recovered_at is None or now - recovered_at >= RECOVER_S:
                        await recover(self._db)
                        recovered_at = now
                    await self._look(scopes)
                except MooringError as e:
                    log.warning("send.copies_wait", error=str(e))
                await asyncio.sleep(LOOK_S)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, scopes: list[str] | None) -> None:
        """Start on what is due: one session for each grant."""
        self._tasks = {grant_id: task for grant_id, task in self._tasks.items() if not task.done()}
        due = await repository.claim_copies(self._db, scopes=scopes, without=list(self._tasks), hold=HOLD, limit=CLAIM)
        by_grant: dict[str, list[DueCopy]] = defaultdict(list)
        for copy in due:
            by_grant[copy.grant_id].append(copy)
        for grant in await by_ids(self._db, list(by_grant)):
            self._tasks[grant.id] = asyncio.create_task(self._guarded(grant, by_grant[grant.id]))

    async def _guarded(self, grant: Grant, copies: list[DueCopy]) -> None:
        """Whatever goes wrong with one grant's copies, they come due again, and the others are not held up."""
        left = list(copies)
        try:
            if grant.status is GrantStatus.VALID:
                async with asyncio.timeout(TRY_S):
                    await self._copy(grant, left)
        except (MooringError, TimeoutError) as e:
            log.warning("send.copy_failed", grant=grant.id, attempts=copies[0].attempts, error=str(e) or "timed out")
        except Exception:
            log.exception("send.copy_defect", grant=grant.id)
        finally:
            with suppress(StoreUnavailable):  # the claim runs out by itself
                for copy in left:
                    await repository.postpone_copy(self._db, copy.grant_id, copy.id, delay_after(copy.attempts))

    async def _copy(self, grant: Grant, left: list[DueCopy]) -> None:
        """Put these copies into the grant's Sent folder; those that are there are taken off the list."""
        key = await self._keys.data_key(grant)
        password = (await self._keys.credentials(grant)).imap_password
        client, attempt, _ = await self._sessions.imap(way_of(grant, Traffic.SEND), grant.settings.imap, password)
        try:
            with attempt.reported():
                attempt.stage = "list"
                folder = await sent_folder(client, grant.id)
                await client.select(folder, read_only=True)
                attempt.stage = "send"
                for copy in list(left):
                    if await self._is_done(client, folder, copy, key):
                        left.remove(copy)
                await client.logout()
        finally:
            await client.aclose()

    async def _is_done(self, client: ImapClient, folder: bytes | str, copy: DueCopy, key: DataKey) -> bool:
        """Whether the copy is there now; a refusal of this one does not end the others' session."""
        raw = await repository.raw(self._db, copy.grant_id, copy.id)
        try:
            if raw is not None and not await is_there(client, copy):
                letter = await asyncio.to_thread(key.unpack, raw, raw_context(copy.id))
                await put(client, folder, copy, letter)
        except ServerRefused as e:
            log.warning("send.copy_refused", grant=copy.grant_id, attempts=copy.attempts, error=e.message)
            return False
        await repository.copied(self._db, copy.grant_id, copy.id)
        await nudge(self._db, LeaseKind.MAILBOX, copy.grant_id)
        return True


def delay_after(attempts: int) -> timedelta:
    """How long to wait after so many tries: twice as long each time, an hour at most."""
    return min(FIRST_RETRY * 2 ** min(attempts - 1, 20), LAST_RETRY)
