"""The lifecycle of grants: connect, find, change, place, delete."""

from datetime import datetime
from typing import Any

from mooring.applications import Application, Applications
from mooring.clock import Clock
from mooring.egress import release_sources, resume_sources
from mooring.errors import Conflict, InvalidRequest, NotFound
from mooring.events import EventType, Fact, append, read_since
from mooring.grants import repository
from mooring.grants.keys import Keys
from mooring.grants.placement import Placements
from mooring.grants.placing import Placing, known_account, new_account
from mooring.grants.repository import GrantQuery, Tally
from mooring.grants.sessions import Sessions
from mooring.grants.settings import as_request, mail_domain, parse_settings, require_passwords, subject_of
from mooring.grants.types import ConnectRequest, Grant
from mooring.grants.verify import Verified, verify
from mooring.grants.ways import way_to_authenticate
from mooring.ids import new_id
from mooring.jobs import LeaseKind, offer, withdraw
from mooring.moves import open_of
from mooring.store import Connection, Database, ObjectStore


class Grants:
    """Connects accounts and keeps what is known of them."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        keys: Keys,
        sessions: Sessions,
        applications: Applications,
        placements: Placements,
        clock: Clock,
    ) -> None:
        self._db = db
        self._objects = objects
        self._keys = keys
        self._sessions = sessions
        self._applications = applications
        self._placements = placements
        self._clock = clock

    async def connect(self, application: Application, request: ConnectRequest) -> tuple[Grant, bool]:
        """Verify the account's servers, then make its grant, or authenticate the one it has anew.

        Nothing is stored before every server has accepted the login (S15); a failed attempt changes nothing
        of a grant that exists (spec §6.18).

        Returns: the grant, and whether it is new.
        Raises:
            ProviderFailure, EgressError, TargetNotAllowed: and then no grant exists that did not before.
            TooEarly: the account moves to static addresses in two steps, and it is not time for the second (S12).
        """
        if request.provider != "imap":
            raise InvalidRequest(f"Accounts of the provider {request.provider!r} cannot be connected; use 'imap'.")
        domain = mail_domain(request.settings.imap.host)
        subject = subject_of(application.id, request.email, domain, request.settings.imap.username)
        stops = await self._foresee(application, subject)
        way = way_to_authenticate(application, subject)
        verified = await verify(self._sessions, way, request.settings, request.credentials, landmarks=stops)
        async with self._db.transaction() as tx:
            # Verifying took seconds in which the feature may have been switched: the grant is placed as it is now.
            application = await self._applications.hold(tx, application.id)
            known, placing = await self._placing(tx, application, subject)
            grant_id = known or new_id()
            if known is None:
                await self._insert(tx, application, grant_id, domain, subject, request, verified, placing)
            else:
                await self._reauthenticate(tx, application, grant_id, request, verified)
            server = request.settings.imap.host.lower()
            await self._placements.by_authentication(tx, application, grant_id, server, placing)
        return await self.get(grant_id), known is None

    async def _foresee(self, application: Application, subject: str) -> bool:
        """Whether the account is going to stop by this authentication, asked before anything is dialled.

        Raises:
            TooEarly.
        """
        async with self._db.transaction() as tx:
            return (await self._placing(tx, application, subject))[1].stops

    async def _placing(self, tx: Connection, application: Application, subject: str) -> tuple[str | None, Placing]:
        """The grant of this identity, which nobody changes until the transaction ends, and where it is placed now.

        Raises:
            TooEarly.
        """
        feature_on, mode = application.feature_on, self._placements.policy.mode_of(application)
        known = await repository.by_subject(tx, subject)
        if known is not None:
            placed = await repository.hold_placed(tx, known)
            if placed is not None:
                move = await open_of(tx, known)
                return known, known_account(
                    feature_on=feature_on, mode=mode, current=placed.environment, move=move, now=self._clock.now()
                )
        return None, new_account(feature_on=feature_on, mode=mode)

    async def _insert(
        self,
        tx: Connection,
        application: Application,
        grant_id: str,
        domain: str,
        subject: str,
        request: ConnectRequest,
        verified: Verified,
        placing: Placing,
    ) -> None:
        await repository.insert(
            tx,
            {
                "id": grant_id,
                "application_id": application.id,
                "provider": request.provider,
                "email": request.email,
                "mail_domain": domain,
                "subject": subject,
                "environment": str(placing.kind),
                "settings": verified.settings,
                "landmarks": verified.landmarks if placing.stops else None,
                "credentials": self._keys.seal_credentials(grant_id, request.credentials),
                "data_key": self._keys.new_data_key(grant_id),
                "name": request.name,
                "state": request.state,
                "scope": list(request.scope),
                "user_agent": request.user_agent,
                "ip": request.ip,
            },
        )
        await resume_sources(tx, subject)
        await self._append(tx, application.id, grant_id, EventType.GRANT_CREATED, {"provider": request.provider})

    async def _reauthenticate(
        self, tx: Connection, application: Application, grant_id: str, request: ConnectRequest, verified: Verified
    ) -> None:
        await repository.reauthenticate(
            tx,
            grant_id,
            {
                "settings": verified.settings,
                "credentials": self._keys.seal_credentials(grant_id, request.credentials),
                "name": request.name,
                "state": request.state,
                "scope": list(request.scope),
                "user_agent": request.user_agent,
                "ip": request.ip,
            },
        )
        await self._append(
            tx, application.id, grant_id, EventType.GRANT_UPDATED,
            {"provider": request.provider, "reauthentication_flag": True},
        )  # fmt: skip

    async def get(self, grant_id: str) -> Grant:
        """Any application's grant, for those inside. Raises: NotFound."""
        grant = await repository.by_id(self._db, grant_id)
        if grant is None:
            raise NotFound(f"There is no grant {grant_id!r}.")
        return grant

    async def authenticated_since(self, subject: str, since: datetime) -> Grant | None:
        """The grant of this identity, if it was made or authenticated anew since then, by the database's clock."""
        async with self._db.transaction() as tx:
            grant_id = await repository.by_subject(tx, subject)
        if grant_id is None:
            return None
        facts = await read_since(self._db, grant_id, since, types=(EventType.GRANT_CREATED, EventType.GRANT_UPDATED))
        is_new = any(f.type is EventType.GRANT_CREATED or f.data.get("reauthentication_flag") for f in facts)
        return await self.get(grant_id) if is_new else None

    async def find(self, application: Application, identifier: str) -> Grant:
        """The application's grant by id, ``grant:ID``, address, or ``email:ADDRESS``.

        Raises:
            NotFound: there is none, or it is another application's.
        """
        kind, _, rest = identifier.partition(":")
        match kind:
            case "email":
                grant = await repository.by_email(self._db, application.id, rest)
            case "grant":
                grant = await repository.by_id(self._db, rest, application.id)
            case _ if "@" in identifier:
                grant = await repository.by_email(self._db, application.id, identifier)
            case _:
                grant = await repository.by_id(self._db, identifier, application.id)
        if grant is None:
            raise NotFound(f"This application has no grant {identifier!r}.", hint="GET /v3/grants lists them.")
        return grant

    async def update(
        self,
        application: Application,
        identifier: str,
        *,
        settings: dict[str, Any] | None,
        scope: tuple[str, ...] | None = None,
    ) -> Grant:
        """Change what is given; servers and passwords are verified first, as in ``connect``.

        Raises:
            NotFound, InvalidRequest, ProviderFailure, EgressError, TargetNotAllowed.
            Conflict: the settings are those of another account.
        """
        grant = await self.find(application, identifier)
        changed = await self._changed_servers(application, grant, settings) if settings is not None else None
        async with self._db.transaction() as tx:
            placed = await repository.hold_placed(tx, grant.id)
            if placed is None:
                raise NotFound(f"This application has no grant {identifier!r}.")
            if changed is not None:
                await repository.reauthenticate(tx, grant.id, changed)
                if not placed.is_stopped:
                    await offer(tx, LeaseKind.MAILBOX, grant.id, str(application.environment(placed.environment)))
            if scope is not None:
                await repository.set_scope(tx, grant.id, list(scope))
            await self._append(tx, application.id, grant.id, EventType.GRANT_UPDATED, {"provider": grant.provider})
        return await self.get(grant.id)

    async def _changed_servers(self, application: Application, grant: Grant, changes: dict[str, Any]) -> dict[str, Any]:
        """What is to be written of new settings, once the servers have accepted them."""
        raw = as_request(grant, await self._keys.credentials(grant), changes)
        _, settings, credentials = parse_settings({**raw, **changes})
        if mail_domain(settings.imap.host) != grant.mail_domain:
            raise Conflict(
                f"{settings.imap.host} is not a server of {grant.mail_domain}, and would make another account.",
                hint="Connect it as a new grant.",
            )
        require_passwords(grant, settings, changes)
        if subject_of(application.id, grant.email, grant.mail_domain, settings.imap.username) != grant.subject:
            raise Conflict(
                f"{settings.imap.username} is not the login of {grant.email}, and would make another account.",
                hint="Connect it as a new grant.",
            )
        way = way_to_authenticate(application, grant.subject, grant.id)
        return {
            "settings": (await verify(self._sessions, way, settings, credentials)).settings,
            "credentials": self._keys.seal_credentials(grant.id, credentials),
        }

    async def delete(self, application: Application, identifier: str) -> None:
        """Delete the grant; with its key, all that was stored of it becomes unreadable at once.

        Raises:
            NotFound.
        """
        grant = await self.find(application, identifier)
        async with self._db.transaction() as tx:
            await self._applications.hold(tx, application.id)
            await withdraw(tx, LeaseKind.MAILBOX, grant.id)
            await withdraw(tx, LeaseKind.MOVE, grant.id)
            if not await repository.delete(tx, application.id, grant.id):
                raise NotFound(f"This application has no grant {identifier!r}.")
            await release_sources(tx, grant.subject)
            await self._append(tx, application.id, grant.id, EventType.GRANT_DELETED, {"provider": grant.provider})
        await self._objects.delete_prefix(f"grants/{grant.id}")

    async def describe(self, application: Application, identifier: str, *, metadata: dict[str, str]) -> Grant:
        """Put these words of the developer's in the place of those before.

        Raises:
            NotFound.
        """
        grant = await self.find(application, identifier)
        await repository.set_metadata(self._db, grant.id, metadata)
        return await self.get(grant.id)

    async def list(self, application: Application, query: GrantQuery) -> list[Grant]:
        """The application's grants.

        Raises:
            InvalidRequest: an order that there is none of.
        """
        if query.sort_by not in repository.SORTS:
            raise InvalidRequest(f"sort_by must be one of: {', '.join(repository.SORTS)}.")
        return await repository.select(self._db, application.id, query)

    async def tallies(self) -> dict[str, Tally]:
        """How many accounts each application has, by its id; those without any are left out."""
        return await repository.tallies(self._db)

    async def count(self, application: Application) -> int:
        """How many grants the application has."""
        return await repository.count(self._db, application.id)

    async def _append(
        self, tx: Connection, application_id: str, grant_id: str, event: EventType, data: dict[str, Any]
    ) -> None:
        facts = [Fact(event, {"grant_id": grant_id, **data})]
        await append(tx, application_id=application_id, grant_id=grant_id, facts=facts)
