"""The feature, static addresses outside authentication: asked for, decided, and the accounts moved by it (spec S8)."""

from collections.abc import Callable
from functools import partial

from mooring.applications import Application, Applications, StaticIps, StaticIpsChange, asked, decided
from mooring.config import Kind, MigrationMode
from mooring.errors import Conflict, NotFound
from mooring.grants import repository
from mooring.grants.placement import Placements
from mooring.ids import new_id
from mooring.moves import (
    Batch,
    BatchState,
    arrived,
    batches,
    begin_batch,
    call_off,
    leaves_a_source,
    lock_batch,
    set_batch_state,
)
from mooring.store import Connection, Database

BATCHES = 20
"""Batches of one application that are shown."""


class Feature:
    """Switches the feature for applications, and moves their accounts by it.

    Args:
        self_serve: whether an application that asks has it; else an operator decides (policy ``static_ips``).
    """

    def __init__(self, db: Database, applications: Applications, placements: Placements, *, self_serve: bool) -> None:
        self._db = db
        self._applications = applications
        self._placements = placements
        self._self_serve = self_serve

    async def ask(self, application_id: str, *, by: str = "application", note: str = "") -> Application:
        """The application asks for static addresses; asking again changes nothing.

        Args:
            by, note: who asked for it, and why.

        Raises:
            NotFound.
        """
        rule = partial(asked, self_serve=self._self_serve)
        return (await self._change(application_id, rule, by=by, note=note, again=False))[0]

    async def ask_for_all(self, application_id: str, *, by: str = "application", note: str = "") -> Application:
        """The application asks for itself and for all others of its organisation; returns itself.

        Args:
            by, note: as of ``ask``.

        Raises:
            NotFound.
        """
        application = await self._applications.get(application_id)
        for other in await self._applications.every():
            if other.organisation_id == application.organisation_id:
                await self.ask(other.id, by=by, note=note)
        return await self._applications.get(application_id)

    async def decide(
        self, application_id: str, wanted: StaticIps, *, by: str, note: str = ""
    ) -> tuple[Application, int]:
        """An operator says on, off or denied; said again, accounts that are elsewhere begin to move anew.

        Returns: the application, and how many of its accounts begin to move by it.
        Raises:
            NotFound.
            Conflict: there is no request to deny.
        """
        return await self._change(
            application_id, lambda current: decided(current, wanted), by=by, note=note, again=True
        )

    async def changes(self, application_id: str) -> list[StaticIpsChange]:
        """Who changed the state, when and why; oldest first."""
        return await self._applications.static_ips_changes(application_id)

    async def batches(self, application_id: str) -> list[Batch]:
        """The moves of the application's accounts that were begun together, and how far they are; the latest first."""
        return await batches(self._db, application_id, BATCHES)

    async def pause(self, application_id: str, batch_id: str) -> None:
        """Give no more turns to a batch; what is under way is finished.

        Raises:
            NotFound.
            Conflict: it was rolled back.
        """
        await self._switch(application_id, batch_id, BatchState.PAUSED)

    async def resume(self, application_id: str, batch_id: str) -> None:
        """Give turns to a batch again. Raises: as ``pause``."""
        await self._switch(application_id, batch_id, BatchState.RUNNING)

    async def roll_back(self, application_id: str, batch_id: str, *, by: str) -> int:
        """Call off what waits, and move back what has moved; returns how many accounts move back.

        The feature stays as it is: it is the entitlement, and the placements are what was rolled back.

        Raises:
            NotFound.
            Conflict: it was rolled back already, or would lead to static addresses without the feature.
        """
        async with self._db.transaction() as tx:
            application = await self._applications.lock(tx, application_id)
            await self._lock(tx, application_id, batch_id)
            if await leaves_a_source(tx, application_id, batch_id):
                raise Conflict(
                    "These accounts leave a source that is drained.",
                    hint="`mooring egress drain SOURCE --undo` has it used again.",
                )
            target, moved = await arrived(tx, application_id, batch_id)
            kind = Kind.STATIC if target is Kind.DYNAMIC else Kind.DYNAMIC
            if kind is Kind.STATIC and not application.feature_on:
                raise Conflict(
                    "Static IPs of this application are not on, so its accounts cannot be moved back to them.",
                    hint=f"`mooring app set-static-ips {application_id} on` moves them there.",
                )
            await set_batch_state(tx, application_id, batch_id, BatchState.ROLLED_BACK)
            await call_off(tx, application_id, batch_id=batch_id, keep=None, why=f"by {by}")
            return await self._begin(tx, application, kind, by=f"{by} (rolls back {batch_id})", only=moved)

    async def _change(
        self, application_id: str, rule: Callable[[StaticIps], StaticIps], *, by: str, note: str, again: bool
    ) -> tuple[Application, int]:
        """Change the state and begin to move the accounts accordingly, in one transaction.

        Where accounts move in two steps, switching on moves none: each moves by its own authentications (S9).

        Args:
            again: whether accounts that are elsewhere begin to move also when the state was this already.
        """
        async with self._db.transaction() as tx:
            application, is_changed = await self._applications.change_static_ips(
                tx, application_id, rule, by=by, note=note
            )
            if not is_changed and not again:
                return application, 0
            kind = Kind.STATIC if application.feature_on else Kind.DYNAMIC
            why = f"static IPs were switched by {by}"
            for grant_id, mode in await call_off(tx, application_id, batch_id=None, keep=str(kind), why=why):
                if mode is MigrationMode.STAGED:
                    await self._placements.run_in(tx, application, grant_id, kind)
            mode = self._placements.policy.mode_of(application)
            if kind is Kind.STATIC and mode is MigrationMode.STAGED:
                return application, 0
            return application, await self._begin(tx, application, kind, by=by)

    async def _begin(
        self, tx: Connection, application: Application, kind: Kind, *, by: str, only: set[str] | None = None
    ) -> int:
        """Begin to move the accounts that are elsewhere and are not being moved; returns how many.

        Args:
            only: of these alone; None: of all.
        """
        accounts = await repository.to_be_moved(tx, application.id, str(kind))
        accounts = [account for account in accounts if only is None or account[0] in only]
        if accounts:
            await begin_batch(tx, application.id, new_id(), application.environment(kind), accounts, by)
        return len(accounts)

    async def _switch(self, application_id: str, batch_id: str, state: BatchState) -> None:
        async with self._db.transaction() as tx:
            await self._lock(tx, application_id, batch_id)
            await set_batch_state(tx, application_id, batch_id, state)

    async def _lock(self, tx: Connection, application_id: str, batch_id: str) -> None:
        """See to it that nobody else changes the batch.

        Raises:
            NotFound.
            Conflict: it was rolled back.
        """
        state = await lock_batch(tx, application_id, batch_id)
        if state is None:
            raise NotFound(f"The application has no batch {batch_id!r}.", hint="`mooring app moves` lists them.")
        if state is BatchState.ROLLED_BACK:
            raise Conflict(f"The batch {batch_id} was rolled back.", hint="Switch static IPs again to move anew.")
