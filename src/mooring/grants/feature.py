"""The feature, static addresses outside authentication: asked for, decided, and the grants placed by it (spec S8)."""

from collections.abc import Callable
from functools import partial

from mooring.applications import Application, Applications, StaticIps, StaticIpsChange, asked, decided
from mooring.config import Kind
from mooring.grants import repository
from mooring.jobs import LeaseKind, hold, offer
from mooring.store import Database


class Feature:
    """Switches the feature for applications.

    Args:
        self_serve: whether an application that asks has it; else an operator decides (policy ``static_ips``).
    """

    def __init__(self, db: Database, applications: Applications, *, self_serve: bool) -> None:
        self._db = db
        self._applications = applications
        self._self_serve = self_serve

    async def ask(self, application_id: str, *, by: str = "application", note: str = "") -> Application:
        """The application asks for static addresses; asking again changes nothing.

        Args:
            by, note: who asked for it, and why.

        Raises:
            NotFound.
        """
        rule = partial(asked, self_serve=self._self_serve)
        return (await self._change(application_id, rule, by=by, note=note))[0]

    async def decide(
        self, application_id: str, wanted: StaticIps, *, by: str, note: str = ""
    ) -> tuple[Application, list[str]]:
        """An operator says on, off or denied.

        Returns: the application, and the grants that were placed anew.
        Raises:
            NotFound.
            Conflict: there is no request to deny.
        """
        return await self._change(application_id, lambda current: decided(current, wanted), by=by, note=note)

    async def changes(self, application_id: str) -> list[StaticIpsChange]:
        """Who changed the state, when and why; oldest first."""
        return await self._applications.static_ips_changes(application_id)

    async def _change(
        self, application_id: str, rule: Callable[[StaticIps], StaticIps], *, by: str, note: str
    ) -> tuple[Application, list[str]]:
        """Change the state and place the grants accordingly, in one transaction.

        The leases change scope with the placements, so whoever holds a mailbox loses it in the same moment.
        """
        async with self._db.transaction() as tx:
            application = await self._applications.change_static_ips(tx, application_id, rule, by=by, note=note)
            kind = Kind.STATIC if application.feature_on else Kind.DYNAMIC
            await hold(tx, LeaseKind.MAILBOX, await repository.not_in(tx, application_id, kind))
            moved = await repository.place(tx, application_id, kind)
            for grant_id in moved:
                await offer(tx, LeaseKind.MAILBOX, grant_id, str(application.environment(kind)))
        return application, moved
