"""The budget that all processes share: rules from ``budget.py``, books in the database."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from mooring.clock import Clock
from mooring.diagnosis.gentle.budget import (
    REMEMBERED_S,
    Choice,
    Decision,
    Key,
    Wish,
    became_of,
    decide,
    fact_of,
    further_became,
)
from mooring.diagnosis.repository import budget as repository
from mooring.diagnosis.types import Depth, Observation, Outcome, Probe, Question, Service, Stage
from mooring.store import Database
from mooring.vault import Vault

JOIN_S = 15.0
"""Seconds to wait for what is under way: nobody who asks later learns less for it."""
LOOK_S = 0.5
"""Seconds between looks at what other processes' probes have come to; this one's are heard of at once."""
REMEMBERED = 20_000
"""Probes of this process that are kept in mind: those under way, and those whose diagnosis may want another."""

_Sent = tuple[str, int, str, str, str, int]
"""Whose, and which: subject, probe, source, address, service, port."""


@dataclass(frozen=True, slots=True)
class _Had:
    """What a diagnosis has had of one key: since when, when last, and the connections that saw, or are to see it."""

    since: float
    last: float
    facts: frozenset[int]


class SharedBudget:
    """How gently servers are treated (``interfaces.Budget``)."""

    def __init__(self, db: Database, vault: Vault, clock: Clock, *, join_s: float = JOIN_S) -> None:
        self._db = db
        self._vault = vault
        self._clock = clock
        self._join_s = join_s
        self._sent: OrderedDict[_Sent, tuple[Key, int]] = OrderedDict()
        self._had: OrderedDict[tuple[str, Key], _Had] = OrderedDict()
        self._settled = asyncio.Event()

    async def reserve(self, question: Question, probes: Sequence[Probe]) -> tuple[list[Probe], list[Observation]]:
        """Which of these may leave now, counted as if they had; and for the others what is remembered, or why not.

        Whoever wants to know what somebody else is just finding out waits for that, and so does whoever would be spared
        for nothing but what is under way.

        Raises:
            StoreUnavailable.
        """
        if not probes:
            return [], []
        keys = [_key(probe) for probe in probes]
        until = self._clock.monotonic() + self._join_s
        while True:
            settled = self._settled
            may_wait = self._clock.monotonic() < until
            wishes = [self._wish(question, key, probe) for key, probe in zip(keys, probes, strict=True)]
            decisions, ids = await self._decide(wishes, may_wait=may_wait)
            if ids is not None:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await settled.wait()
        going: list[Probe] = []
        answered: list[Observation] = []
        for probe, key, decision in zip(probes, keys, decisions, strict=True):
            if decision.choice is Choice.GO:
                spent_id = ids.pop(0)
                self._keep_sent(_sent_of(question, probe), key, spent_id)
                self._keep_had(question, key, spent_id)
                going.append(probe)
            elif decision.recalled is not None:
                self._keep_had(question, key, decision.recalled.id)
                answered.append(_recalled(probe, decision.recalled.observation))
            else:
                answered.append(self._spared(probe, decision.why))
        return going, answered

    async def remember(self, question: Question, observation: Observation) -> None:
        """Keep what concerns the server alone, and what it cost.

        Raises:
            StoreUnavailable.
        """
        o = observation
        if o.remembered:
            return
        sent = (question.subject, o.probe, o.source, o.address, str(o.service), o.port)
        if sent not in self._sent:
            return
        key, spent_id = self._sent.pop(sent)
        target = next((t for t in question.targets if t.service is o.service), None)
        # A path of calendars may name a user.
        names_a_user = o.service is Service.CALDAV and target is not None and target.path != ""
        fact = None if names_a_user else fact_of(o)
        became = became_of(o)
        await repository.settle(
            self._db, key, spent_id, became, fact, more=o.connections - 1, more_became=further_became(o.service, became)
        )
        self._settled.set()
        self._settled = asyncio.Event()

    async def _decide(self, wishes: Sequence[Wish], *, may_wait: bool) -> tuple[list[Decision], list[int] | None]:
        """What is done about these wishes, and the ids of those that go; None: they wait, and nothing was counted.

        All wait for one another: who held some while he waits for others might be waited for by them.
        """
        servers = sorted({wish.key.server for wish in wishes})
        logins = sorted({wish.login for wish in wishes if wish.login is not None})
        async with self._db.transaction() as tx:
            await repository.lock(tx, [*servers, *(login.hex() for login in logins)])
            books = await repository.books(tx, servers, logins)
            decisions = decide(wishes, books, may_wait=may_wait)
            if any(decision.choice is Choice.WAIT for decision in decisions):
                return decisions, None
            going = [
                (wish.key, wish.login)
                for wish, decision in zip(wishes, decisions, strict=True)
                if decision.choice is Choice.GO
            ]
            return decisions, await repository.spend(tx, going) if going else []

    def _login(self, probe: Probe) -> bytes | None:
        """Whose password the probe would show, so that nobody can read it; calendars are guarded by another program."""
        if probe.depth is not Depth.FULL:
            return None
        guard = "calendars" if probe.target.service is Service.CALDAV else "mail"
        words = f"{probe.target.host}\n{probe.target.username.lower()}\n{guard}"
        return self._vault.fingerprint(words.encode(), context=b"probe:login")

    def _spared(self, probe: Probe, why: str) -> Observation:
        return Observation(
            probe=probe.id,
            at=self._clock.now(),
            vantage=probe.exit.vantage,
            environment=probe.exit.environment,
            source=probe.exit.source,
            source_address=probe.exit.address,
            service=probe.target.service,
            host=probe.target.host,
            port=probe.target.port,
            address=probe.address,
            outcome=Outcome.SPARED,
            stage=Stage.CONNECT,
            depth=probe.depth,
            tls=probe.target.tls,
            detail=why,
            is_alternative=probe.is_alternative,
        )

    def _keep_sent(self, sent: _Sent, key: Key, spent_id: int) -> None:
        self._sent[sent] = (key, spent_id)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _wish(self, question: Question, key: Key, probe: Probe) -> Wish:
        had = self._had.get((question.subject, key))
        if had is None:
            return Wish(key, self._login(probe))
        return Wish(key, self._login(probe), True, self._clock.monotonic() - had.since, had.facts)

    def _keep_had(self, question: Question, key: Key, fact_id: int) -> None:
        now = self._clock.monotonic()
        before = self._had.get((question.subject, key), _Had(now, now, frozenset()))
        self._had[question.subject, key] = _Had(before.since, now, before.facts | {fact_id})
        self._had.move_to_end((question.subject, key))
        while self._had and (len(self._had) > REMEMBERED or now - next(iter(self._had.values())).last > REMEMBERED_S):
            self._had.popitem(last=False)


def _key(probe: Probe) -> Key:
    target = probe.target
    return Key(probe.address, probe.exit.source, str(target.service), target.port, target.host, str(target.tls or ""))


def _sent_of(question: Question, probe: Probe) -> _Sent:
    target = probe.target
    return (question.subject, probe.id, probe.exit.source, probe.address, str(target.service), target.port)


def _recalled(probe: Probe, seen: Observation) -> Observation:
    """What was seen for somebody else, as this probe's observation."""
    return msgspec.structs.replace(
        seen,
        probe=probe.id,
        vantage=probe.exit.vantage,
        environment=probe.exit.environment,
        source_address=probe.exit.address,
        is_alternative=probe.is_alternative,
        remembered=True,
    )
