"""What whoever carries out a direct move writes: each step under the lease of the move, in one transaction."""

from datetime import datetime
from typing import Any

from mooring.applications import Applications
from mooring.config import Kind, SourceConfig
from mooring.egress import keep_source, leave_source, return_source
from mooring.errors import LostOwnership, NotFound
from mooring.events import EventType, Fact, append
from mooring.grants import repository
from mooring.grants.types import Grant
from mooring.jobs import Lease, LeaseKind, fence, fenced, offer, take, withdraw
from mooring.moves import Move, MoveStep, advance, open_of, set_taken
from mooring.store import Connection, Database

_OTHER = {Kind.STATIC: Kind.DYNAMIC, Kind.DYNAMIC: Kind.STATIC}


class Handover:
    """Writes the steps of direct moves. Every method raises LostOwnership when the move is no longer ours."""

    def __init__(self, db: Database, applications: Applications) -> None:
        self._db = db
        self._applications = applications

    async def take_up(self, lease: Lease) -> Move:
        """The move that this lease is for, begun; or as it is, when the mailbox has been handed over already.

        A lease whose move has ended, or has not had its turn, is withdrawn.
        """
        async with fenced(self._db, lease) as tx:
            move = await open_of(tx, lease.subject)
            if move is not None and move.offered_at is not None:
                return move if move.is_handed_over else await advance(tx, move, MoveStep.TAKEN_UP)
            await withdraw(tx, lease.kind, lease.subject)
        raise LostOwnership(f"no move of {lease.subject} has its turn")

    async def hand_over(
        self,
        lease: Lease,
        move: Move,
        grant: Grant,
        *,
        holder: str | None,
        settles: bool,
        warnings: tuple[str, ...],
        source: SourceConfig | None = None,
    ) -> datetime | None:
        """Move the account: its placement, the lease of its mailbox, the fact, and the state of the move.

        Args:
            grant: as it was when the session was opened that is handed over.
            holder: who has that session; None when there is none, and whoever comes first opens one.
            settles: whether the move waits for the new side to come in step.
            source: what that session left by; it is kept from now on by an account that leaves another.
        Returns: the account's version from now on; None when it was changed meanwhile, and nothing was moved.
        """
        async with self._db.transaction() as tx:
            application = await self._applications.hold(tx, grant.application_id)
            placed = await self._hold(tx, lease)
            if placed.updated_at != grant.updated_at:
                return None
            was_elsewhere, version = await repository.place(tx, grant.id, str(move.target))
            scope = str(application.environment(move.target))
            if move.leaves and source is not None:
                await keep_source(tx, grant.subject, scope, source.address.version, source.name)
                await set_taken(tx, move, source.name)
            if move.leaves:
                await leave_source(tx, [grant.subject], move.leaves)
            if holder is not None:
                await take(tx, LeaseKind.MAILBOX, grant.id, scope=scope, holder=holder)
            elif not placed.is_stopped:
                await offer(tx, LeaseKind.MAILBOX, grant.id, scope)
            if was_elsewhere:
                await self._tell_moved(tx, grant, move.target)
            if not settles:
                await withdraw(tx, LeaseKind.MOVE, grant.id)
            await advance(tx, move, MoveStep.HANDED_OVER if settles else MoveStep.MOVED, warnings=warnings)
        return version

    async def end(
        self,
        lease: Lease,
        move: Move,
        step: MoveStep,
        *,
        error: dict[str, Any] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        """End the move where the account is."""
        async with fenced(self._db, lease) as tx:
            await withdraw(tx, LeaseKind.MOVE, lease.subject)
            await advance(tx, move, step, error=error, warnings=warnings)

    async def step_back(self, lease: Lease, move: Move, grant: Grant) -> None:
        """Place the account where it was: the new side failed after all, as its synchronisation says."""
        kind = move.target if move.leaves else _OTHER[move.target]
        async with self._db.transaction() as tx:
            application = await self._applications.hold(tx, grant.application_id)
            placed = await self._hold(tx, lease)
            await repository.place(tx, grant.id, str(kind))
            if not placed.is_stopped:
                await offer(tx, LeaseKind.MAILBOX, grant.id, str(application.environment(kind)))
            if move.leaves:
                await return_source(tx, grant.subject, left=move.leaves, taken=move.takes)
            else:
                await self._tell_moved(tx, grant, kind)
            await withdraw(tx, LeaseKind.MOVE, grant.id)
            await advance(tx, move, MoveStep.STEPPED_BACK, error=grant.sync_error)

    async def _hold(self, tx: Connection, lease: Lease) -> repository.Placed:
        placed = await repository.hold_placed(tx, lease.subject)
        await fence(tx, lease)
        if placed is None:
            raise NotFound(f"There is no account {lease.subject!r} any more.")
        return placed

    async def _tell_moved(self, tx: Connection, grant: Grant, kind: Kind) -> None:
        data = {"grant_id": grant.id, "provider": grant.provider, "environment": str(kind)}
        await append(
            tx, application_id=grant.application_id, grant_id=grant.id, facts=[Fact(EventType.GRANT_MOVED, data)]
        )
