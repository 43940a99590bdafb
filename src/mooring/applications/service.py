"""What can be done with applications."""

import hmac
from collections.abc import Callable

from mooring.applications import repository
from mooring.applications.types import Application, Changes, NewApplication, StaticIps, StaticIpsChange
from mooring.applications.uris import require_redirect_uri, require_web_address
from mooring.config import Generation, MigrationMode, is_region
from mooring.errors import InvalidRequest, NotFound, Unauthorized
from mooring.ids import new_id, new_secret
from mooring.store import Connection, Database
from mooring.vault import Vault, hash_api_key

DEFAULT_ORGANISATION = "default"


class Applications:
    """Makes applications, knows them by their keys, and keeps the state of their static addresses."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def create(
        self,
        *,
        name: str,
        generation: Generation,
        region: str,
        static_ips: StaticIps = StaticIps.OFF,
        predecessor_id: str = "",
    ) -> NewApplication:
        """A new application and its secret, which nobody can read again (spec §6.20).

        Raises:
            InvalidRequest: there is no name, the region cannot be one, or the predecessor is no v2 application.
            NotFound: there is no such predecessor.
        """
        if predecessor_id:
            predecessor = await self.get(predecessor_id)
            if generation is not Generation.V3 or predecessor.generation is not Generation.V2:
                raise InvalidRequest("Only a v3 application has a predecessor, and only a v2 application is one.")
        if not name.strip():
            raise InvalidRequest("An application has a name.")
        if not is_region(region):
            raise InvalidRequest(f"{region!r} is not a region.", hint="Use lower-case letters and digits.")
        application_id, secret = new_id(), new_secret()
        v2 = generation is Generation.V2
        sealed = self._vault.seal(secret.encode(), context=_secret_context(application_id)) if v2 else None
        async with self._db.transaction() as tx:
            await repository.ensure_organisation(tx, DEFAULT_ORGANISATION, "Default organisation")
            application = await repository.insert(
                tx,
                application_id=application_id,
                organisation_id=DEFAULT_ORGANISATION,
                name=name,
                generation=generation,
                region=region,
                static_ips=static_ips,
                client_secret=sealed,
                predecessor_id=predecessor_id,
            )
            if not v2:
                await repository.insert_key(tx, application_id, hash_api_key(secret))
        return NewApplication(application, secret)

    async def by_api_key(self, key: str) -> Application:
        """The v3 application that this key speaks for.

        Raises:
            Unauthorized: none does.
        """
        application = await repository.by_key(self._db, hash_api_key(key))
        if application is None:
            raise Unauthorized("No application has this API key.", hint="Send it as `Authorization: Bearer <API key>`.")
        return application

    async def by_client_secret(self, client_id: str, secret: str) -> Application:
        """The v2 application with this id and secret.

        Raises:
            Unauthorized: there is none.
        """
        # Ids are our own letters and digits; anything else, such as a U+0000, PostgreSQL need not be asked about.
        sealed = await repository.client_secret(self._db, client_id) if client_id.isalnum() else None
        if sealed is not None:
            known = self._vault.open(sealed, context=_secret_context(client_id))
            if hmac.compare_digest(known, secret.encode("utf-8", "replace")):
                return await self.get(client_id)
        raise Unauthorized("This client id and secret belong to no application.")

    async def get(self, application_id: str) -> Application:
        """Raises: NotFound."""
        application = await repository.by_id(self._db, application_id)
        if application is None:
            raise NotFound(f"There is no application {application_id!r}.", hint="`mooring app list` shows them.")
        return application

    async def set_migration_mode(self, application_id: str, mode: MigrationMode | None) -> Application:
        """Have the application's accounts move in this way from now on; None: as the policy says.

        Raises:
            NotFound.
        """
        application = await repository.set_migration_mode(self._db, application_id, str(mode) if mode else None)
        if application is None:
            raise NotFound(f"There is no application {application_id!r}.", hint="`mooring app list` shows them.")
        return application

    async def change(self, application_id: str, changes: Changes) -> Application:
        """Have the application called, and led back to, as it says from now on.

        Raises:
            InvalidRequest: no name, or a URI that nobody may be led to.
            NotFound.
        """
        if changes.name is not None and not changes.name.strip():
            raise InvalidRequest("An application has a name.")
        if changes.icon_url:
            require_web_address(changes.icon_url)
        for uri in changes.redirect_uris or ():
            require_redirect_uri(uri)
        uris = list(dict.fromkeys(changes.redirect_uris)) if changes.redirect_uris is not None else None
        application = await repository.change(self._db, application_id, changes.name, changes.icon_url, uris)
        if application is None:
            raise NotFound(f"There is no application {application_id!r}.", hint="`mooring app list` shows them.")
        return application

    async def hold(self, tx: Connection, application_id: str) -> Application:
        """The application as it is, and stays until the caller's transaction ends: what is placed by it stays right.

        Raises:
            NotFound.
        """
        application = await repository.hold(tx, application_id)
        if application is None:
            raise NotFound(f"There is no application {application_id!r}.", hint="`mooring app list` shows them.")
        return application

    async def every(self) -> list[Application]:
        """All applications, oldest first."""
        return await repository.every(self._db)

    async def change_static_ips(
        self, tx: Connection, application_id: str, rule: Callable[[StaticIps], StaticIps], *, by: str, note: str
    ) -> tuple[Application, bool]:
        """Change the state in the caller's transaction, with which the grants are placed anew.

        Args:
            rule: the state that follows on the current one.
            by, note: who, and why.

        Returns: the application, which nobody changes until the transaction ends, and whether its state is another.
        Raises:
            NotFound, and what the rule raises.
        """
        current = (await self.lock(tx, application_id)).static_ips
        wanted = rule(current)
        if wanted is not current:
            await repository.set_static_ips(tx, application_id, (current, wanted), by, note)
        return await self.hold(tx, application_id), wanted is not current

    async def lock(self, tx: Connection, application_id: str) -> Application:
        """As ``hold``, and nobody else places or deletes an account of it until the caller's transaction ends.

        Raises:
            NotFound.
        """
        await repository.lock(tx, application_id)
        return await self.hold(tx, application_id)

    async def static_ips_changes(self, application_id: str) -> list[StaticIpsChange]:
        """Every change of the state, oldest first."""
        return await repository.static_ips_changes(self._db, application_id)

    async def last_static_ips_changes(self) -> dict[str, StaticIpsChange]:
        """The last change of each application's state, by its id; those never changed have none."""
        return await repository.last_static_ips_changes(self._db)

    async def reseal(self) -> int:
        """Seal every client secret with the ring's active key; returns how many were not."""
        changed = 0
        for application_id, sealed in await repository.sealed_secrets(self._db):
            if self._vault.needs_reseal(sealed):
                new = self._vault.reseal(sealed, context=_secret_context(application_id))
                await repository.replace_secret(self._db, application_id, sealed, new)
                changed += 1
        return changed


async def client_secret(db: Database, vault: Vault, application_id: str) -> str:
    """The secret of a v2 application: what it calls with, and what is delivered to it is signed with (contract 6.5).

    Raises:
        NotFound: there is no such application, or it is not one of v2.
    """
    sealed = await repository.client_secret(db, application_id)
    if sealed is None:
        raise NotFound(f"There is no v2 application {application_id!r}.", hint="`mooring app list` shows them.")
    return vault.open(sealed, context=_secret_context(application_id)).decode()


def _secret_context(application_id: str) -> bytes:
    return f"application:{application_id}:client_secret".encode()
