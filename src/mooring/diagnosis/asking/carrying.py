"""Carrying diagnoses out: so many at once in each process, the oldest first; those of a process that died, anew."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from mooring.diagnosis.asking.following import Followers
from mooring.diagnosis.asking.guessing import Detect
from mooring.diagnosis.asking.question import filled, is_open, secrets_of_grant
from mooring.diagnosis.asking.records import Claim
from mooring.diagnosis.asking.telling import Scribe
from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.repository import diagnoses as repository
from mooring.diagnosis.types import Evidence, Question, Secrets
from mooring.diagnosis.verdict.types import Verdict
from mooring.errors import InvalidRequest, LostOwnership, MooringError
from mooring.grants import Grants, Keys
from mooring.jobs import Holder
from mooring.store import Database
from mooring.vault import Vault

log = structlog.get_logger()

AT_ONCE = 64
"""Diagnoses that one process carries out side by side: each has a dozen connections for some seconds."""
LOOK_S = 1.0
"""Seconds between looks at what others have asked for, or left undone."""
LONGEST_S = 180.0
"""Seconds for one; it takes two time-outs of a connect, and some more where servers speak slowly."""

Investigate = Callable[[Question, Secrets, Tell], Awaitable[tuple[Evidence, Verdict]]]
"""What finds out (``Runner.run``)."""


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to find out."""

    investigate: Investigate
    detect: Detect


class Carrying:
    """This process's share of the diagnoses.

    Args:
        scopes: whose questions can be answered from here, such as ``v3-us``.
        lease: how long this process may be silent before others take over what it carries out.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        grants: Grants,
        keys: Keys,
        followers: Followers,
        means: Means,
        *,
        scopes: Sequence[str],
        lease: timedelta,
        at_once: int = AT_ONCE,
    ) -> None:
        self._db = db
        self._vault = vault
        self._grants = grants
        self._keys = keys
        self._followers = followers
        self._means = means
        self._scopes = list(scopes)
        self._holder = Holder(db, lease)
        self._at_once = at_once
        self._stir = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def look(self) -> None:
        """Look at once: something has been asked for."""
        self._stir.set()

    async def run(self) -> None:
        """Carry out what is asked for until cancelled; what is not done by then is left to others."""
        await self._patiently(self._holder.join)
        beating = asyncio.create_task(self._holder.run())
        try:
            while True:
                await self._begin()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._stir.wait()
                self._stir.clear()
        finally:
            beating.cancel()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(beating, *self._tasks.values(), return_exceptions=True)
            try:
                await repository.give_back(self._db, self._holder.id)
                await self._holder.leave()
            except MooringError as e:
                log.warning("diagnosis.cannot_leave", error=str(e))

    async def here(self, ask: Callable[[str], Awaitable[str]], tell: Tell) -> str:
        """Carry one out in this process, and return its id once it has ended.

        Args:
            ask: writes the diagnosis down for this holder, and returns its id.
        """
        await self._holder.join()
        beating = asyncio.create_task(self._holder.run())
        try:
            claim = await repository.begin(self._db, self._holder.id, await ask(self._holder.id))
            if claim is not None:
                await self._carry(claim, tell)
                return claim.id
            raise LostOwnership("The diagnosis was deleted before it began.")
        finally:
            beating.cancel()
            await self._holder.leave()

    async def _begin(self) -> None:
        room = self._at_once - len(self._tasks)
        if room <= 0:
            return
        try:
            claims = await repository.claim(self._db, self._holder.id, self._scopes, room, but=self._tasks)
        except MooringError as e:
            log.warning("diagnosis.cannot_claim", error=str(e))
            return
        for claim in claims:
            task = self._tasks[claim.id] = asyncio.create_task(self._carry(claim))
            task.add_done_callback(lambda done, claim=claim: self._ended(claim, done))
            self._followers.stir(claim.id)

    def _ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        del self._tasks[claim.id]
        if not task.cancelled() and (defect := task.exception()) is not None:
            log.error("diagnosis.defect", diagnosis=claim.id, exc_info=defect)
        self._stir.set()

    async def _carry(self, claim: Claim, also: Tell | None = None) -> None:
        """Find out, and write down what was found; a failure is written down as well."""
        scribe = Scribe(self._db, claim, self._followers, also)
        writing = asyncio.create_task(scribe.run())
        finding = asyncio.create_task(self._find_out(claim, scribe.tell))
        try:
            await asyncio.wait({writing, finding}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done() and isinstance(writing.exception(), LostOwnership):
                return  # it is somebody else's now
        except asyncio.CancelledError:
            if also is None:
                raise
            await _end(writing, finding)
            await scribe.conclude(error=_error("interrupted", "Whoever asked went away before the end."))
            raise
        finally:
            await _end(writing, finding)
        match _failure(writing) or _failure(finding):
            case None:
                evidence, verdict = finding.result()
                await self._conclude(scribe, claim, evidence, verdict)
            case MooringError() as e:
                await scribe.conclude(error=_error(type(e).__name__, f"{e.message} {e.hint}".strip()))
            case TimeoutError():
                await scribe.conclude(error=_error("timeout", f"There was no verdict within {LONGEST_S:.0f} seconds."))
            case defect:
                log.error("diagnosis.defect", diagnosis=claim.id, exc_info=defect)
                scribe.forget()
                await scribe.conclude(error=_error("internal", "Something went wrong on our side; it is in the log."))

    async def _conclude(self, scribe: Scribe, claim: Claim, evidence: Evidence, verdict: Verdict) -> None:
        try:
            await scribe.conclude(evidence=evidence, verdict=verdict)
        except Exception as defect:
            # What cannot be written down must not keep its passwords, nor be begun anew for ever.
            log.exception("diagnosis.defect", diagnosis=claim.id, exc_info=defect)
            scribe.forget()
            await scribe.conclude(error=_error("internal", "Something went wrong on our side; it is in the log."))

    async def _find_out(self, claim: Claim, tell: Tell) -> tuple[Evidence, Verdict]:
        async with asyncio.timeout(LONGEST_S):
            question = claim.question
            if is_open(question):
                question = filled(question, await self._means.detect(question))
                if not question.targets:
                    raise InvalidRequest("No server was found for this e-mail address.", hint="Name the server.")
            return await self._means.investigate(question, await self._secrets(claim), tell)

    async def _secrets(self, claim: Claim) -> Secrets:
        """The passwords that were given, or those of the grant.

        Raises:
            NotFound: the grant has been deleted meanwhile.
        """
        if claim.sealed is not None:
            return msgspec.json.decode(self._vault.open(claim.sealed, context=context_of(claim.id)), type=Secrets)
        if not (claim.question.grant_id and claim.question.with_credentials):
            return Secrets()
        grant = await self._grants.get(claim.question.grant_id)
        return secrets_of_grant(claim.question, await self._keys.credentials(grant))

    async def _patiently(self, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await do()
            except MooringError as e:
                log.warning("diagnosis.cannot_begin", error=str(e))
                await asyncio.sleep(LOOK_S)


def context_of(diagnosis_id: str) -> bytes:
    """What the passwords of a diagnosis are sealed for."""
    return f"diagnosis:{diagnosis_id}:secrets".encode()


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    """What a task failed with; None where it did not, or was ended."""
    return task.exception() if task.done() and not task.cancelled() else None


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": kind, "message": message}
