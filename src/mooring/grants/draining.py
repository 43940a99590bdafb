"""Draining a source: its accounts leave it one by one, each proven from another source first (spec B11)."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from mooring.applications import Applications
from mooring.config import EnvironmentName
from mooring.egress import depending_on, leave_source, set_draining
from mooring.grants import repository
from mooring.ids import new_id
from mooring.moves import begin_batch, call_off_leaving, leaving
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
        begun = 0
        kept = defaultdict[str, set[str]](set)
        for subject, environment in await depending_on(self._db, source):
            kept[subject].add(environment)
        for application_id in await repository.applications_of(self._db, list(kept)):
            begun += await self._drain(application_id, source, kept, by=f"{by} (drains {source})")
        return begun

    async def _drain(self, application_id: str, source: str, kept: Mapping[str, set[str]], *, by: str) -> int:
        """The same of one application's accounts, in one transaction."""
        async with self._db.transaction() as tx:
            application = await self._applications.lock(tx, application_id)
            leavers = defaultdict[EnvironmentName, list[tuple[str, str]]](list)
            elsewhere = list[str]()
            for subject, grant_id, kind, server in await repository.keeping(tx, application_id, list(kept)):
                environment = application.environment(kind)
                if str(environment) in kept[subject]:
                    leavers[environment].append((grant_id, server))
                else:
                    elsewhere.append(subject)
            await leave_source(tx, elsewhere, source)
            for environment, accounts in leavers.items():
                await begin_batch(tx, application_id, new_id(), environment, accounts, by, leaves=source)
        return sum(map(len, leavers.values()))

    async def undo(self, source: str) -> None:
        """Have the source used again. Accounts that have left it stay away; those that wait to leave it do not."""
        async with self._db.transaction() as tx:
            await set_draining(tx, source, None)
            await call_off_leaving(tx, source, "the source is used again")

    async def progress(self, source: str) -> Leaving:
        """How far it is."""
        return Leaving(*await leaving(self._db, source))
