"""Asking for watches, reading them, and giving them up."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from mooring.applications import Application
from mooring.config import EnvironmentName, Kind, PoolConfig
from mooring.diagnosis.asking.records import Diagnosis
from mooring.diagnosis.repository import watches as repository
from mooring.diagnosis.types import Question
from mooring.diagnosis.watches.authenticating import request_context, require_static
from mooring.diagnosis.watches.watch import ServerWatch
from mooring.errors import Conflict, InvalidRequest, NoSource, NotFound
from mooring.grants import ConnectRequest, mail_domain, subject_of
from mooring.ids import new_id
from mooring.store import Database
from mooring.vault import Vault

MOST = 100
"""Watches of one application that may go on at a time."""


class Watches:
    """The watches of all applications.

    Args:
        pools: all that are declared.
    """

    def __init__(self, db: Database, vault: Vault, pools: Sequence[PoolConfig]) -> None:
        self._db = db
        self._vault = vault
        self._pools = pools

    async def begin(
        self, application: Application, diagnosis: Diagnosis, request: ConnectRequest | None = None
    ) -> ServerWatch:
        """Watch the servers of a diagnosis from the application's static addresses, from now on.

        Args:
            request: the account to connect as soon as all is open.

        Raises:
            InvalidRequest: no server of it is known, or the account lives on another one.
            Conflict: it is watched already, the application watches as many as it may, or the account would not be
                connected from the addresses that are watched.
            NoSource: the application has no static addresses.
        """
        question = diagnosis.question
        if not question.targets or not all(target.host for target in question.targets):
            raise InvalidRequest(
                "Which servers are to be watched is not known yet.",
                hint="Wait until the diagnosis is done, or name a host.",
            )
        if request is not None and request.settings.imap.host not in {target.host for target in question.targets}:
            raise InvalidRequest(
                f"{request.settings.imap.host} is not a server of this diagnosis.",
                hint="Watch the account's own server.",
            )
        if request is not None:
            require_static(application)
        environment = str(EnvironmentName(application.generation, application.region, Kind.STATIC))
        if environment not in {str(pool.environment) for pool in self._pools}:
            raise NoSource(
                f"this installation declares no pool {environment} to watch from",
                reason="unknown_pool",
                hint=f"The operator adds a [[egress.pool]] for {environment}.",
            )
        watch_id = new_id()
        await self._write(watch_id, application, diagnosis.id, environment, question, request)
        return await self.find(application, watch_id)

    async def find(self, application: Application, watch_id: str) -> ServerWatch:
        """The application's watch, with what has changed. Raises: NotFound."""
        found = await repository.get(self._db, application.id, watch_id)
        if found is None:
            raise _unknown(watch_id)
        return found

    async def list(
        self, application: Application, *, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[ServerWatch]:
        """The application's watches, the newest first, without their changes.

        Args:
            before: (created_at, id) of the last one of the page before.
        """
        return await repository.newest(self._db, application.id, limit=limit, before=before)

    async def end(self, application: Application, watch_id: str) -> None:
        """Give a watch up, and erase what it holds. Raises: NotFound."""
        if not await repository.delete(self._db, application.id, watch_id):
            raise _unknown(watch_id)

    async def reseal(self) -> int:
        """Seal every account that waits to be connected with the ring's active key; returns how many were not."""
        changed = 0
        for watch_id, sealed in await repository.sealed_requests(self._db):
            if self._vault.needs_reseal(sealed):
                new = self._vault.reseal(sealed, context=request_context(watch_id))
                await repository.replace_request(self._db, watch_id, sealed, new)
                changed += 1
        return changed

    async def _write(
        self,
        watch_id: str,
        application: Application,
        diagnosis_id: str,
        environment: str,
        question: Question,
        request: ConnectRequest | None,
    ) -> None:
        subject, sealed = "", None
        if request is not None:
            imap = request.settings.imap
            subject = subject_of(application.id, request.email, mail_domain(imap.host), imap.username)
            sealed = self._vault.seal(msgspec.json.encode(request), context=request_context(watch_id))
        # Its own word: what it costs a server is not counted as one with what the diagnosis did.
        asked = msgspec.structs.replace(question, subject=watch_id, grant_id="", with_credentials=False, passive=False)
        async with self._db.transaction() as tx:
            is_written = await repository.insert(
                tx, watch_id, diagnosis_id=diagnosis_id, environment=environment, question=asked, subject=subject,
                request=sealed, most=MOST,
            )  # fmt: skip
            known = await repository.of_diagnosis(tx, diagnosis_id, but=watch_id)
            if known is not None:
                raise Conflict(f"This diagnosis is watched already, by {known}.", hint=f"GET /v3/watches/{known}.")
        if not is_written:
            raise Conflict(
                f"This application watches {MOST} servers already.", hint="DELETE /v3/watches/{id} gives one up."
            )


def _unknown(watch_id: str) -> NotFound:
    return NotFound(f"There is no watch {watch_id!r}.", hint="GET /v3/watches lists them.")
