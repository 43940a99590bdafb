"""Draining a source: its accounts leave it one by one, each proven from another source first (spec B11)."""

from collections import defaultdict
from dataclasses import dataclass

from mooring.applications import Application, Applications
from mooring.config import EnvironmentName
from mooring.egress import depending_on, leave_source, set_draining
from mooring.grants import repository
from mooring.ids import new_id
from mooring.moves import begin_batch, leaving
from mooring.store import Database


@dataclass(frozen=True, slots=True)
class Leaving:
    """How far a source is drained.

    Attributes:
        left: accounts that keep it still.
        moving: of these, how many are on their way; the others could not leave, or came in between.
        why_not: what stood in the way of those that could not, each once.
    """

    left: int
    moving: int
    why_not: tuple[str, ...]


class Draining:
    """Has sources left by who keeps them, before their addresses go."""

    def __init__(self, db: Database, applications: Applications) -> None:
        self._db = db
        self._applications = applications

    async def drain(self, source: str, *, by: str) -> int:
        """Place nobody newly on this source, and begin to move its accounts to the others of their pool.

        An account that is placed elsewhere, and only authenticates by this source, keeps it no longer at once.
        Said again, those that could not leave try anew.

        Returns: how many accounts begin to move.
        """
        async with self._db.transaction() as tx:
            await set_draining(tx, source, by)
            kept = defaultdict[str, set[str]](set)
            for subject, environment in await depending_on(tx, source):
                kept[subject].add(environment)
            applications = dict[str, Application]()
            moving = defaultdict[tuple[str, EnvironmentName], list[tuple[str, str]]](list)
            for subject, application_id, grant_id, kind, server in await repository.keeping(tx, list(kept)):
                if application_id not in applications:
                    applications[application_id] = await self._applications.lock(tx, application_id)
                environment = applications[application_id].environment(kind)
                if str(environment) in kept[subject]:
                    moving[(application_id, environment)].append((grant_id, server))
                else:
                    await leave_source(tx, subject, source)
            for (application_id, environment), accounts in moving.items():
                words = f"{by} (drains {source})"
                await begin_batch(tx, application_id, new_id(), environment, accounts, words, leaves=source)
        return sum(map(len, moving.values()))

    async def undo(self, source: str) -> None:
        """Have the source used again. Accounts that have left it stay where they are."""
        async with self._db.transaction() as tx:
            await set_draining(tx, source, None)

    async def progress(self, source: str) -> Leaving:
        """How far it is."""
        kept = await depending_on(self._db, source)
        moving, why_not = await leaving(self._db, source)
        return Leaving(len(kept), moving, why_not)
