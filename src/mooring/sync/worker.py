"""The worker: holds mailboxes of its environments, and keeps each in step, with its calendars."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from mooring.clock import Clock
from mooring.grants import Grant, Handover, Keys, Sessions, by_ids
from mooring.jobs import DEFECT_S, Held, Holder, Keeper, Lease, LeaseKind
from mooring.store import Database, ObjectStore
from mooring.sync.budget import Means
from mooring.sync.calendars import CalendarSync
from mooring.sync.mailbox import MailboxSync
from mooring.sync.moving import Mover
from mooring.sync.openings import Openings

log = structlog.get_logger()


class Worker:
    """Holds mailboxes, keeps them in step, and carries out their moves into its environments.

    Args:
        lease: how long this process may be silent before what it holds is taken over.
        environments: those that this process leaves by; None for all.
        window: how far back mail is copied.
    """

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        keys: Keys,
        sessions: Sessions,
        clock: Clock,
        handover: Handover,
        *,
        lease: timedelta,
        environments: Sequence[str] | None,
        window: timedelta,
    ) -> None:
        self._db = db
        self._objects = objects
        self._keys = keys
        self._sessions = sessions
        self._clock = clock
        self._window = window
        self._means = Means()
        self._openings = Openings()
        self._keeper = Keeper(Holder(db, lease), LeaseKind.MAILBOX, scopes=environments, take_up=self._take_up)
        self._mover = Mover(
            db, keys, sessions, handover, self._openings,
            holder=Holder(db, lease), mailboxes=self._keeper, environments=environments,
        )  # fmt: skip

    async def run(self) -> None:
        """Work until cancelled; then give everything back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run())
            group.create_task(self._mover.run())

    async def _take_up(self, leases: Sequence[Lease]) -> Mapping[Lease, Held]:
        by_grant = {lease.subject: lease for lease in leases}
        grants = await by_ids(self._db, list(by_grant))
        return {
            by_grant[grant.id]: self._held(grant, by_grant[grant.id]) for grant in grants if grant.stopped_at is None
        }

    def _held(self, grant: Grant, lease: Lease) -> Held:
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
            openings=self._openings,
        )
        server = grant.settings.caldav
        if server is None:
            return mailbox
        calendars = CalendarSync(self._db, self._keys, self._sessions, grant=grant, server=server, lease=lease)
        return _WithCalendars(mailbox, calendars)


class _WithCalendars:
    """A held mailbox, and its calendars for as long as it is held."""

    def __init__(self, mailbox: MailboxSync, calendars: CalendarSync) -> None:
        self._mailbox = mailbox
        self._calendars = calendars
        self.look = mailbox.look

    async def run(self) -> None:
        calendars = asyncio.create_task(self._keep_calendars())
        try:
            await self._mailbox.run()
        finally:
            calendars.cancel()
            await asyncio.gather(calendars, return_exceptions=True)

    async def _keep_calendars(self) -> None:
        """Keep the calendars in step; a defect of ours in them stops no mail."""
        while True:
            try:
                await self._calendars.run()
            except Exception:
                log.exception("sync.defect", part="calendars")
                await asyncio.sleep(DEFECT_S)
            else:
                return
