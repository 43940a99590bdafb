"""Connecting the account of a watch that has opened: once, and never with a login that was refused."""

from dataclasses import dataclass
from datetime import timedelta

import msgspec
import structlog

from mooring.applications import Application, Applications
from mooring.config import Kind
from mooring.diagnosis.repository import watches as repository
from mooring.diagnosis.watches.rules import Change, ChangeKind, WatchState
from mooring.diagnosis.watches.watch import Authentication, WatchClaim
from mooring.egress import Ledger, Traffic
from mooring.errors import Conflict, EgressError, MooringError, ProviderFailure
from mooring.events import EventType, Fact, append
from mooring.grants import ConnectRequest, Grant, Grants, TooEarly, way_to_authenticate
from mooring.store import Database, StoreUnavailable
from mooring.vault import Vault

log = structlog.get_logger()

TRIES = 3
"""How often the servers are asked where the login itself was not refused."""
SKEW = timedelta(seconds=30)
"""How far the clocks of the ledger and of the database may be apart."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long until the next look.

    Attributes:
        again: where connecting the account is to be tried again.
        ours: where it is, since our own side kept it from being tried.
        over: where nothing is to be tried any more.
    """

    again: timedelta
    ours: timedelta
    over: timedelta


class Authenticating:
    """Connects accounts for watches."""

    def __init__(self, db: Database, vault: Vault, applications: Applications, grants: Grants, ledger: Ledger) -> None:
        self._db = db
        self._vault = vault
        self._applications = applications
        self._grants = grants
        self._ledger = ledger

    async def carry_out(self, claim: WatchClaim, pauses: Pauses) -> Authentication | None:
        """Connect the account of a watch that is ours to look at; returns what became of it, None: not to be tried."""
        if claim.request is None:
            return None
        request = msgspec.json.decode(
            self._vault.open(claim.request, context=request_context(claim.id)), type=ConnectRequest
        )
        if claim.authentication is Authentication.TRYING:
            # Whoever tried it has died. Had nothing left for the server, the ledger would be empty.
            known = await self._made(claim)
            if known is not None:
                return await self._done(claim, known, pauses.over)
            if await self._was_dialled(claim):
                message = "It was interrupted after the server had been asked; whether it took the login, nobody knows."
                return await self._failed(claim, Authentication.FAILED, message, pauses.over)
        tries = await repository.begin_to_authenticate(self._db, claim)
        if tries is None:
            return None
        try:
            application = await self._applications.get(claim.application_id)
            require_static(application)
            grant, _ = await self._grants.connect(application, request)
        except TooEarly as e:
            return await self._put_off(claim, e, timedelta(seconds=e.seconds_left + 1))
        except (EgressError, StoreUnavailable, Conflict) as e:
            return await self._put_off(claim, e, pauses.ours)
        except MooringError as e:
            if isinstance(e, ProviderFailure) and e.reason == "authentication":
                return await self._failed(claim, Authentication.REFUSED, _sentence(e), pauses.over)
            if tries >= TRIES:
                return await self._failed(claim, Authentication.FAILED, _sentence(e), pauses.over)
            return await self._again(claim, e, pauses.again, counts=True)
        return await self._done(claim, grant, pauses.over)

    async def _put_off(self, claim: WatchClaim, error: MooringError, again_in: timedelta) -> Authentication:
        """Wait for what is our own: no server was asked in vain."""
        return await self._again(claim, error, again_in, counts=False)

    async def _again(
        self, claim: WatchClaim, error: MooringError, again_in: timedelta, *, counts: bool
    ) -> Authentication:
        async with self._db.transaction() as tx:
            await repository.end_authentication(
                tx, claim, Authentication.WANTED, (), due_in=again_in, error=_sentence(error), counts=counts
            )
        return Authentication.WANTED

    async def _done(self, claim: WatchClaim, grant: Grant, due_in: timedelta) -> Authentication:
        change = Change(claim.now, ChangeKind.AUTHENTICATED, grant_id=grant.id)
        return await self._end(claim, Authentication.DONE, change, due_in, grant_id=grant.id)

    async def _failed(
        self, claim: WatchClaim, became: Authentication, message: str, due_in: timedelta
    ) -> Authentication:
        change = Change(claim.now, ChangeKind.NOT_AUTHENTICATED, message=message)
        return await self._end(claim, became, change, due_in, error=message)

    async def _end(
        self,
        claim: WatchClaim,
        became: Authentication,
        change: Change,
        due_in: timedelta,
        *,
        grant_id: str = "",
        error: str = "",
    ) -> Authentication:
        data = {
            "id": claim.id, "state": str(WatchState.OPEN), "change": str(change.kind), "grant_id": grant_id or None,
            "at": int(change.at.timestamp()), **({"message": error} if error else {}),
        }  # fmt: skip
        async with self._db.transaction() as tx:
            is_ours = await repository.end_authentication(
                tx, claim, became, [change], due_in=due_in, grant_id=grant_id, error=error
            )
            if is_ours:
                fact = Fact(EventType.WATCH_CHANGED, data)
                await append(tx, application_id=claim.application_id, grant_id=claim.id, facts=[fact])
        return became

    async def _made(self, claim: WatchClaim) -> Grant | None:
        """The grant that was made, or authenticated anew, since it was begun."""
        if claim.tried_at is None:
            return None
        return await self._grants.authenticated_since(claim.subject, claim.tried_at)

    async def _was_dialled(self, claim: WatchClaim) -> bool:
        """Whether an authentication of this account has dialled since then, by the clocks of two machines."""
        since = claim.tried_at - SKEW if claim.tried_at is not None else None
        found = await self._ledger.entries(
            application_id=claim.application_id, subject=claim.subject, traffic=Traffic.AUTH, since=since, limit=1
        )
        return bool(found)


def require_static(application: Application) -> None:
    """See to it that the application's authentications leave from the static addresses that a watch is about.

    Raises:
        Conflict: they leave from dynamic ones, which the server may well take for a wrong password.
    """
    way = way_to_authenticate(application, "")
    if way.environment.kind is not Kind.STATIC:
        raise Conflict(
            f"Authentications of this application leave from {way.environment}, and not from what is watched.",
            hint="Have static IPs switched on for it first, or watch without authenticate.",
        )


def _sentence(error: MooringError) -> str:
    return f"{error.message} {error.hint}".strip()


def request_context(watch_id: str) -> bytes:
    """What the account of a watch is sealed for."""
    return f"watch:{watch_id}:request".encode()
