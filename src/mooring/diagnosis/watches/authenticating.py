"""Connecting the account of a watch that has opened: once, and never with a login that was refused."""

from datetime import timedelta

import msgspec
import structlog

from mooring.applications import Applications
from mooring.diagnosis.repository import watches as repository
from mooring.diagnosis.watches.rules import Change, ChangeKind, WatchState
from mooring.diagnosis.watches.watch import Authentication, WatchClaim
from mooring.egress import Ledger
from mooring.errors import MooringError, NotFound, ProviderFailure
from mooring.events import EventType, Fact, append
from mooring.grants import ConnectRequest, Grant, Grants
from mooring.store import Database
from mooring.vault import Vault

log = structlog.get_logger()

TRIES = 3
"""How often it is tried where the login itself was not refused."""
SKEW = timedelta(seconds=30)
"""How far the clocks of the ledger and of the database may be apart."""


class Authenticating:
    """Connects accounts for watches."""

    def __init__(self, db: Database, vault: Vault, applications: Applications, grants: Grants, ledger: Ledger) -> None:
        self._db = db
        self._vault = vault
        self._applications = applications
        self._grants = grants
        self._ledger = ledger

    async def carry_out(self, claim: WatchClaim, *, again_in: timedelta, due_in: timedelta) -> Authentication | None:
        """Connect the account of a watch that is ours to look at; returns what became of it, None: not to be tried.

        Args:
            again_in: until the next look where it is to be tried again; ``due_in``: where it is not.
        """
        if claim.request is None:
            return None
        request = msgspec.json.decode(
            self._vault.open(claim.request, context=request_context(claim.id)), type=ConnectRequest
        )
        if claim.authentication is Authentication.TRYING:
            # Whoever tried it has died. Had nothing left for the server, the ledger would be empty.
            known = await self._made(claim, request)
            if known is not None:
                return await self._done(claim, known, due_in)
            if await self._was_dialled(claim):
                message = "It was interrupted after the server had been asked; whether it took the login, nobody knows."
                return await self._failed(claim, Authentication.FAILED, message, due_in)
        elif not await repository.begin_to_authenticate(self._db, claim):
            return None
        try:
            application = await self._applications.get(claim.application_id)
            grant, _ = await self._grants.connect(application, request)
        except ProviderFailure as e:
            is_refusal = e.stage == "login" and e.reason == "authentication"
            return await self._not_yet(claim, e, again_in, due_in, is_refusal=is_refusal)
        except MooringError as e:
            return await self._not_yet(claim, e, again_in, due_in, is_refusal=False)
        return await self._done(claim, grant, due_in)

    async def _not_yet(
        self, claim: WatchClaim, error: MooringError, again_in: timedelta, due_in: timedelta, *, is_refusal: bool
    ) -> Authentication:
        message = f"{error.message} {error.hint}".strip()
        if is_refusal:
            return await self._failed(claim, Authentication.REFUSED, message, due_in)
        if claim.tries + 1 >= TRIES:
            return await self._failed(claim, Authentication.FAILED, message, due_in)
        async with self._db.transaction() as tx:
            await repository.end_authentication(tx, claim, Authentication.WANTED, (), due_in=again_in, error=message)
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

    async def _made(self, claim: WatchClaim, request: ConnectRequest) -> Grant | None:
        """The grant that was made, or authenticated anew, since it was begun."""
        application = await self._applications.get(claim.application_id)
        try:
            grant = await self._grants.find(application, f"email:{request.email}")
        except NotFound:
            return None
        since = claim.tried_at
        return grant if grant.subject == claim.subject and since is not None and grant.updated_at >= since else None

    async def _was_dialled(self, claim: WatchClaim) -> bool:
        """Whether a connection for this account was begun since then, by the clocks of two machines."""
        since = claim.tried_at - SKEW if claim.tried_at is not None else None
        return bool(
            await self._ledger.entries(application_id=claim.application_id, subject=claim.subject, since=since, limit=1)
        )


def request_context(watch_id: str) -> bytes:
    """What the account of a watch is sealed for."""
    return f"watch:{watch_id}:request".encode()
