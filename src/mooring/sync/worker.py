"""The worker: claims mailboxes of its environments and synchronises each in a task of its own."""

import asyncio
from datetime import timedelta

import structlog

from mooring.clock import Clock
from mooring.errors import MooringError
from mooring.grants import CalendarServer, Grant, Keys, Sessions, by_ids
from mooring.jobs import Holder, Lease, LeaseKind
from mooring.store import Database, ObjectStore
from mooring.sync.budget import Means
from mooring.sync.calendars import CalendarSync
from mooring.sync.mailbox import MailboxSync

log = structlog.get_logger()

LOOK_S = 0.5
"""Seconds between looks at what can be claimed, and at what was lost."""
DEFECT_S = 30.0
"""Seconds a mailbox rests after a defect of ours, so that it does not run into it all the time."""
CLAIM = 500
"""Mailboxes claimed at once (5,000 in such batches took 0.1 s)."""


class Worker:
    """Holds mailboxes, and keeps them in step."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        keys: Keys,
        sessions: Sessions,
        clock: Clock,
        holder: Holder,
        *,
        environments: list[str] | None,
        window: timedelta,
    ) -> None:
        self._db = db
        self._objects = objects
        self._keys = keys
        self._sessions = sessions
        self._clock = clock
        self._holder = holder
        self._environments = environments
        self._window = window
        self._means = Means()
        self._tasks: dict[Lease, asyncio.Task[None]] = {}
        self._mailboxes: dict[Lease, MailboxSync] = {}
        self._nudges: dict[Lease, int] = {}

    async def run(self) -> None:
        """Work until cancelled; then give everything back."""
        await self._holder.join()
        heartbeat = asyncio.create_task(self._holder.run())
        try:
            while True:
                try:
                    await self._tend()
                except MooringError as e:
                    log.warning("worker.cannot_claim", error=str(e))
                await asyncio.sleep(LOOK_S)
        finally:
            heartbeat.cancel()
            await self._stop(list(self._tasks))
            await self._holder.leave()

    async def _tend(self) -> None:
        """Start what was won, stop what was lost."""
        await self._holder.claim(LeaseKind.MAILBOX, scopes=self._environments, limit=CLAIM)
        held = await self._holder.held(LeaseKind.MAILBOX)
        await self._stop([lease for lease in self._tasks if lease not in held])
        for lease in [lease for lease, task in self._tasks.items() if task.done()]:
            del self._tasks[lease], self._mailboxes[lease], held[lease]
            await self._holder.release(lease)
        for lease, nudges in held.items():
            mailbox = self._mailboxes.get(lease)
            if mailbox is not None and self._nudges.get(lease) != nudges:
                mailbox.look()
        self._nudges = held
        new = {lease.subject: lease for lease in held if lease not in self._tasks}
        for grant in await by_ids(self._db, list(new)):
            lease = new[grant.id]
            mailbox = MailboxSync(
                self._db,
                self._objects,
                self._keys,
                self._sessions,
                self._clock,
                grant=grant,
                lease=lease,
                window=self._window,
                means=self._means,
            )
            self._mailboxes[lease] = mailbox
            self._tasks[lease] = asyncio.create_task(self._guarded(mailbox, grant, lease))

    async def _guarded(self, mailbox: MailboxSync, grant: Grant, lease: Lease) -> None:
        """A defect of ours in one mailbox stays in that mailbox; its calendars are held for as long as it is."""
        calendars: list[asyncio.Task[None]] = []
        if grant.settings.caldav is not None:
            calendars.append(asyncio.create_task(self._hold_calendars(grant, grant.settings.caldav, lease)))
        try:
            await mailbox.run()
        except Exception:
            log.exception("sync.defect", grant=grant.id)
            await asyncio.sleep(DEFECT_S)
        finally:
            for task in calendars:
                task.cancel()
            await asyncio.gather(*calendars, return_exceptions=True)

    async def _hold_calendars(self, grant: Grant, server: CalendarServer, lease: Lease) -> None:
        """Keep the calendars in step; a defect of ours in them stops no mail."""
        calendars = CalendarSync(self._db, self._keys, self._sessions, grant=grant, server=server, lease=lease)
        while True:
            try:
                await calendars.run()
            except Exception:
                log.exception("sync.defect", grant=grant.id, part="calendars")
                await asyncio.sleep(DEFECT_S)
            else:
                return

    async def _stop(self, leases: list[Lease]) -> None:
        tasks = [self._tasks.pop(lease) for lease in leases]
        for lease in leases:
            del self._mailboxes[lease]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
