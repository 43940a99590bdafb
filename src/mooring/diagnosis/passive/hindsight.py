"""Answering from what happened anyway: the ledger, the grant and its letters are read, and nothing is dialled."""

from collections.abc import Sequence

import msgspec

from mooring.clock import Clock
from mooring.config import PoolConfig
from mooring.diagnosis.asking.exits import exits_for
from mooring.diagnosis.passive.elsewhere import controls_of, runs_of
from mooring.diagnosis.passive.history import PAST, Failed, evidence_of, failure_of
from mooring.diagnosis.passive.tree import conclude_from_the_past
from mooring.diagnosis.types import Evidence, Question
from mooring.diagnosis.verdict.types import Verdict
from mooring.diagnosis.verdict.words import verdict_of
from mooring.egress import Ledger, Traffic
from mooring.grants import Grant
from mooring.send import failures
from mooring.store import Database


class Hindsight:
    """Passive diagnoses.

    Args:
        pools: all that are declared.
    """

    def __init__(self, db: Database, ledger: Ledger, clock: Clock, pools: Sequence[PoolConfig]) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._pools = pools
        self._sources = {source.name: source for pool in pools for source in pool.sources}

    async def look_back(self, question: Question, grant: Grant | None) -> tuple[Evidence, Verdict]:
        """What follows from the last days: of a grant's own connections, or of all that the application has made with
        the hosts of the question.

        Raises:
            StoreUnavailable.
        """
        since = self._clock.now() - PAST
        question = msgspec.structs.replace(question, passive=True, with_credentials=False)
        hosts = [target.host for target in question.targets]
        subject = grant.subject if grant is not None else None
        entries = await self._ledger.ordinary(question.application_id, subject, hosts, since)
        failed: list[Failed] = []
        if grant is not None:
            unsent = await failures(self._db, grant.id, since)
            failed = [*failure_of(grant), *(Failed(Traffic.SEND, error, at) for at, error in unsent)]
        exits = exits_for(self._pools, question.generation, question.region, foreign=False)
        evidence = evidence_of(question, exits, entries, grant=grant, failed=failed)
        controls = await controls_of(self._ledger, self._sources, runs_of(evidence), hosts)
        evidence = msgspec.structs.replace(evidence, controls=controls, ended_at=self._clock.now())
        return evidence, verdict_of(evidence, conclude_from_the_past(evidence))
