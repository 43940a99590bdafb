"""Verdicts that nobody asked for: what fails in ordinary traffic is looked back at, and told if it says something (B7).

Which accounts fail stands in the database, so nothing has to be remembered: whoever dies in between is followed by
somebody who finds the same. Nothing is dialled.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from mooring.diagnosis.asking.question import Ask, Asker, question_of_grant
from mooring.diagnosis.passive.hindsight import Hindsight
from mooring.diagnosis.passive.weighing import LEAST
from mooring.diagnosis.repository import diagnoses, raised
from mooring.diagnosis.repository.raised import Noticed
from mooring.diagnosis.verdict.types import Code, Verdict
from mooring.errors import MooringError, NotFound
from mooring.events import EventType, Fact, append
from mooring.grants import Grant, Grants
from mooring.ids import new_id
from mooring.store import Database

log = structlog.get_logger()

BY_MOORING = "mooring"

TICK_S = 5.0
"""Seconds between looks at which accounts fail."""
FIRST = timedelta(seconds=20)
"""How long a failure goes on before it is looked at: one alone says little."""
AGAIN, LATER = timedelta(minutes=1), timedelta(minutes=30)
"""How long until the next look where too little has happened; and after half an hour of that."""
QUIET = timedelta(hours=6)
"""How long a verdict is not told of an account once it was, whatever fails meanwhile."""
AT_ONCE = 50
"""Failures that one round looks at."""

_SAYS_NOTHING = frozenset({Code.INCONCLUSIVE, Code.NOT_NEEDED})


class Raiser:
    """Raises verdicts; any process can, and several may."""

    def __init__(self, db: Database, grants: Grants, hindsight: Hindsight) -> None:
        self._db = db
        self._grants = grants
        self._hindsight = hindsight

    async def run(self) -> None:
        """Look at what fails, until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self.look_once()
            except MooringError as e:
                log.warning("diagnosis.cannot_raise", error=str(e))
            except Exception:
                log.exception("diagnosis.defect")
            await asyncio.sleep(TICK_S)

    async def look_once(self) -> int:
        """Look at every failure that is due; how many verdicts were told."""
        await raised.notice(self._db, FIRST)
        told = 0
        for grant_id in await raised.due(self._db, AT_ONCE):
            try:
                told += await self._look_at(await self._grants.get(grant_id))
            except NotFound:
                continue  # it was deleted just now
        return told

    async def _look_at(self, grant: Grant) -> bool:
        async with self._db.transaction() as tx:
            noticed = await raised.take(tx, grant.id)
            if noticed is None:
                return False
            asker = Asker(grant.application_id, str(grant.generation), grant.region)
            evidence, verdict = await self._hindsight.look_back(question_of_grant(Ask(), asker, grant), grant)
            if verdict.code in _SAYS_NOTHING or verdict.confidence < LEAST:
                is_new = noticed.now - noticed.since < LATER
                await raised.put_off(tx, grant.id, AGAIN if is_new else LATER)
                return False
            told_at = await raised.told_at(tx, grant.id, BY_MOORING, str(verdict.code))
            if (quiet := _quiet(noticed, str(verdict.code), told_at)) is not None:
                await raised.put_off(tx, grant.id, quiet)
                return False
            diagnosis_id = new_id()
            await diagnoses.insert_concluded(
                tx, diagnosis_id, by=BY_MOORING, scope=asker.scope, evidence=evidence, verdict=verdict
            )
            await raised.conclude(tx, grant.id, str(verdict.code), diagnosis_id, QUIET)
            await append(
                tx, application_id=grant.application_id, grant_id=grant.id, facts=[_fact(diagnosis_id, verdict)]
            )
        return True


def _quiet(noticed: Noticed, code: str, told_at: datetime | None) -> timedelta | None:
    """How long this verdict is not told again; None: it is told now. Once is enough as long as the account fails so."""
    if told_at is None:
        return None
    if code == noticed.code and told_at >= noticed.since:
        return QUIET
    left = told_at + QUIET - noticed.now
    return left if left > timedelta(0) else None


def _fact(diagnosis_id: str, verdict: Verdict) -> Fact:
    return Fact(
        EventType.DIAGNOSIS_RAISED,
        {
            "id": diagnosis_id,
            "code": str(verdict.code),
            "confidence": verdict.confidence,
            "summary": verdict.summary,
        },
    )
