"""What is told while a diagnosis runs, written down a little later and in groups, so that telling never waits."""

import asyncio
from typing import Any

import msgspec
import structlog

from mooring.diagnosis.asking.following import Followers
from mooring.diagnosis.asking.records import Claim
from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.progress import Concluded, Progress
from mooring.diagnosis.repository import diagnoses as repository
from mooring.diagnosis.types import Evidence
from mooring.diagnosis.verdict.types import Verdict
from mooring.errors import LostOwnership, MooringError
from mooring.store import Database

log = structlog.get_logger()

GATHER_S = 0.1
"""Seconds in which what is told is gathered before it is written."""
AGAIN_S = 1.0
"""Seconds before what could not be written is tried again."""


class Scribe:
    """Writes down what is told of one diagnosis, as long as it is ours.

    The verdict is held back: it is told in the transaction that ends the diagnosis, so who hears it can read it.

    Args:
        also: somebody else who is told, at once.
    """

    def __init__(self, db: Database, claim: Claim, followers: Followers, also: Tell | None = None) -> None:
        self._db = db
        self._claim = claim
        self._followers = followers
        self._also = also
        self._pending: list[dict[str, Any]] = []
        self._told = asyncio.Event()

    def tell(self, progress: Progress) -> None:
        """Take note; never waits."""
        if self._also is not None:
            self._also(progress)
        if not isinstance(progress, Concluded):
            self._pending.append(msgspec.to_builtins(progress))
            self._told.set()

    async def run(self) -> None:
        """Write until cancelled; what could not be written is written later.

        Raises:
            LostOwnership: somebody else has begun the diagnosis anew.
        """
        while True:
            await self._told.wait()
            await asyncio.sleep(GATHER_S)
            self._told.clear()
            batch = list(self._pending)
            try:
                ours = await repository.tell(self._db, self._claim, batch)
            except MooringError as e:
                log.warning("diagnosis.not_told", diagnosis=self._claim.id, error=str(e))
                self._told.set()
                continue
            if not ours:
                raise LostOwnership(f"the diagnosis {self._claim.id} has been begun anew elsewhere")
            del self._pending[: len(batch)]
            self._followers.stir(self._claim.id)

    def forget(self) -> None:
        """Leave out what is not written yet: it may be what cannot be."""
        self._pending.clear()

    async def conclude(
        self,
        *,
        evidence: Evidence | None = None,
        verdict: Verdict | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        """End the diagnosis, if it is still ours; a database that is away is waited for. Not beside ``run``."""
        last = msgspec.to_builtins(Concluded(verdict)) if verdict is not None else {"kind": "failed", **(error or {})}
        while True:
            try:
                await repository.conclude(
                    self._db, self._claim, [*self._pending, last], evidence=evidence, verdict=verdict, error=error
                )
            except MooringError as e:
                log.warning("diagnosis.not_concluded", diagnosis=self._claim.id, error=str(e))
                await asyncio.sleep(AGAIN_S)
            else:
                break
        self._followers.stir(self._claim.id)
