"""Where accounts are: stopped, started, placed by an authentication, and moved.

Every change is one transaction: the placement, the lease of whoever synchronises, the move's state, and the fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mooring.applications import Application, Applications
from mooring.clock import Clock
from mooring.config import Generation, Kind, MigrationMode
from mooring.errors import Conflict, Forbidden, NotFound
from mooring.events import EventType, Fact, append
from mooring.grants import repository
from mooring.grants.placing import Placing, require_due
from mooring.grants.types import Grant
from mooring.jobs import LeaseKind, offer, withdraw
from mooring.moves import Move, MoveStep, Recorded, advance, begin, find, of_grant, open_of, set_due, steps
from mooring.store import Connection, Database

HISTORY = 50
"""Moves of one account that are shown."""


@dataclass(frozen=True, slots=True)
class MovePolicy:
    """What the operator decided about moves.

    Attributes:
        staged_delay: between the first authentication and the second (S11).
        modes: how the accounts of each generation move, unless their application says otherwise.
    """

    staged_delay: timedelta
    modes: Mapping[Generation, MigrationMode]

    def mode_of(self, application: Application) -> MigrationMode:
        """How this application's accounts move."""
        return application.migration_mode or self.modes[application.generation]


class Placements:
    """Stops and starts accounts, and moves them from one environment to the other."""

    def __init__(self, db: Database, applications: Applications, clock: Clock, policy: MovePolicy) -> None:
        self._db = db
        self._applications = applications
        self._clock = clock
        self.policy = policy

    async def stop(self, application: Application, grant: Grant, *, by: str) -> None:
        """Have nothing dialled for the account any more; stopping a stopped one is fine.

        Raises:
            NotFound.
        """
        async with self._db.transaction() as tx:
            await self._hold(tx, grant.id)
            await self._stop(tx, application, grant.id, by=by)

    async def start(self, application: Application, grant: Grant, *, by: str) -> None:
        """Synchronise the account again, in the environment that a staged move leads to if one has stopped it (S12).

        Starting one that runs is fine.

        Raises:
            NotFound.
            TooEarly: the delay of a staged move has not passed.
        """
        async with self._db.transaction() as tx:
            application = await self._applications.hold(tx, application.id)
            placed = await self._hold(tx, grant.id)
            move = await open_of(tx, grant.id)
            if not placed.is_stopped:
                return
            kind = placed.environment
            if move is not None and move.mode is MigrationMode.STAGED:
                require_due(move, self._clock.now())
                kind = move.target
                await advance(tx, move, MoveStep.STARTED, why=f"by {by}")
            await self.run_in(tx, application, grant.id, kind)

    async def move(
        self,
        application: Application,
        grant: Grant,
        to: Kind,
        *,
        mode: MigrationMode | None = None,
        dry_run: bool = False,
        by: str,
    ) -> Move:
        """Begin to move the account.

        A staged move stops it now; after the delay it is authenticated again, or started. A direct one is carried
        out by a worker of the environment that it leads to.

        Raises:
            NotFound.
            Conflict: it is there already, or on its way.
            Forbidden: to static addresses, which the application does not have.
        """
        mode = mode or self.policy.mode_of(application)
        async with self._db.transaction() as tx:
            application = await self._applications.hold(tx, application.id)
            placed = await self._hold(tx, grant.id)
            if to is Kind.STATIC and not application.feature_on:
                raise Forbidden(
                    "This application does not have static addresses, so none of its accounts can move there.",
                    hint="POST /v3/static-ips/request asks for them.",
                )
            is_staged = mode is MigrationMode.STAGED and not dry_run
            if placed.environment is to and await open_of(tx, grant.id) is None:
                raise Conflict(f"This account is in the {to} environment already.")
            move = await begin(
                tx, application_id=application.id, grant_id=grant.id, server=grant.mail_server,
                mode=MigrationMode.STAGED if is_staged else MigrationMode.DIRECT,
                environment=application.environment(to), by=by, dry_run=dry_run,
                step=MoveStep.ASKED if is_staged else MoveStep.QUEUED,
            )  # fmt: skip
            if is_staged:
                await self._stop_for(tx, application, move)
        return await self.find_move(grant, move.id)

    async def find_move(self, grant: Grant, move_id: str) -> Move:
        """Raises: NotFound."""
        move = await find(self._db, grant.id, move_id)
        if move is None:
            raise NotFound(f"This account has no move {move_id!r}.", hint="GET …/moves lists them.")
        return move

    async def steps(self, move: Move) -> list[Recorded]:
        """What became of the move, step by step."""
        return await steps(self._db, move.grant_id, move.id)

    async def moves(self, grant: Grant) -> list[Move]:
        """The account's moves, the latest first."""
        return await of_grant(self._db, grant.id, HISTORY)

    async def by_authentication(
        self, tx: Connection, application: Application, grant_id: str, server: str, placing: Placing
    ) -> None:
        """Place an account that was just authenticated, in the transaction that writes what it brought.

        S9: the first authentication places it in the dynamic environment. S10: there it stops, by rule. S11: the
        second, after the delay, places it in the static one. S13: later ones are ordinary.
        """
        if placing.ends is not None:
            await withdraw(tx, LeaseKind.MOVE, grant_id)
            await advance(tx, *placing.ends)
        if not placing.stops:
            await self.run_in(tx, application, grant_id, placing.kind)
            return
        move = await begin(
            tx, application_id=application.id, grant_id=grant_id, server=server, mode=MigrationMode.STAGED,
            environment=application.environment(Kind.STATIC), step=MoveStep.AUTHENTICATED, by="authentication",
        )  # fmt: skip
        await self._stop_for(tx, application, move)

    async def run_in(self, tx: Connection, application: Application, grant_id: str, kind: Kind) -> None:
        """Have the account synchronised there, by whoever comes first; who held it before loses it."""
        was_elsewhere, _ = await repository.place(tx, grant_id, str(kind))
        if was_elsewhere:
            await self._tell(tx, application, grant_id, EventType.GRANT_MOVED, environment=str(kind))
        if await repository.set_stopped(tx, grant_id, None):
            await self._tell(tx, application, grant_id, EventType.GRANT_STARTED)
        await offer(tx, LeaseKind.MAILBOX, grant_id, str(application.environment(kind)))

    async def _stop_for(self, tx: Connection, application: Application, move: Move) -> None:
        """Stop the account for a staged move; the delay counts from now, and nothing resets it."""
        await set_due(tx, move, self._clock.now() + self.policy.staged_delay)
        await advance(tx, move, MoveStep.STOPPED)
        await self._stop(tx, application, move.grant_id, by="move")

    async def _stop(self, tx: Connection, application: Application, grant_id: str, *, by: str) -> None:
        if await repository.set_stopped(tx, grant_id, self._clock.now()):
            await withdraw(tx, LeaseKind.MAILBOX, grant_id)
            await self._tell(tx, application, grant_id, EventType.GRANT_STOPPED, by=by)

    async def _hold(self, tx: Connection, grant_id: str) -> repository.Placed:
        placed = await repository.hold_placed(tx, grant_id)
        if placed is None:
            raise NotFound(f"There is no account {grant_id!r} any more.")
        return placed

    async def _tell(
        self, tx: Connection, application: Application, grant_id: str, event: EventType, **data: Any
    ) -> None:
        facts = [Fact(event, {"grant_id": grant_id, "provider": "imap", **data})]
        await append(tx, application_id=application.id, grant_id=grant_id, facts=facts)
