"""Asking for a diagnosis, reading it, and following it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

import msgspec

from mooring.applications import Application
from mooring.config import Generation, IPNetwork, Kind, PoolConfig
from mooring.diagnosis.asking.carrying import Carrying, context_of
from mooring.diagnosis.asking.following import Followers
from mooring.diagnosis.asking.guessing import LookUp
from mooring.diagnosis.asking.question import (
    Ask,
    Asker,
    is_open,
    question_of,
    question_of_grant,
    require_allowed,
    unusual_port,
)
from mooring.diagnosis.asking.records import Diagnosis, Told
from mooring.diagnosis.interfaces import Tell
from mooring.diagnosis.passive.hindsight import Hindsight
from mooring.diagnosis.progress import Concluded
from mooring.diagnosis.repository import diagnoses as repository
from mooring.diagnosis.types import Question, Secrets
from mooring.errors import InvalidRequest, NoSource, NotFound
from mooring.grants import Grant, Grants, GrantStatus, require_running
from mooring.ids import new_id
from mooring.store import Database
from mooring.vault import Vault

BY_APPLICATION = "application"
MOST_TOLD = 5_000
"""More than a diagnosis ever tells; the rest is told to whoever asks again."""


@dataclass(frozen=True, slots=True)
class DiagnosisPolicy:
    """What the operator decided.

    Attributes:
        pools: all that are declared.
        allow: private networks that may be dialled.
        forbidden: our own listeners and database, as (address, port).
    """

    pools: tuple[PoolConfig, ...]
    allow: tuple[IPNetwork, ...] = ()
    forbidden: frozenset[tuple[str, int]] = frozenset()


class Diagnoses:
    """The diagnoses of all applications.

    Args:
        look_up: the addresses of a host that may be dialled.
        hindsight: what answers without dialling.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        grants: Grants,
        policy: DiagnosisPolicy,
        look_up: LookUp,
        followers: Followers,
        carrying: Carrying,
        hindsight: Hindsight,
    ) -> None:
        self._db = db
        self._vault = vault
        self._grants = grants
        self._policy = policy
        self._look_up = look_up
        self._followers = followers
        self._carrying = carrying
        self._hindsight = hindsight

    async def run(self) -> None:
        """Carry out what is asked for, here or elsewhere, until cancelled; then nobody follows here any longer."""
        try:
            await self._carrying.run()
        finally:
            self._followers.close()

    async def ask(
        self,
        application: Application,
        ask: Ask,
        *,
        by: str = BY_APPLICATION,
        admit_detection: Callable[[], None] = lambda: None,
    ) -> Diagnosis:
        """Ask for a diagnosis; whoever is free carries it out. A passive one has ended when this returns.

        Args:
            by: who asks on the application's behalf.
            admit_detection: called if servers have yet to be found by an e-mail address, for which its domain is asked;
                what it raises is a refusal.

        Raises:
            InvalidRequest: it cannot be meant.
            TargetNotAllowed: an address that is never dialled.
            NotFound: the application has no such grant.
            Forbidden: the grant is stopped.
            NoSource: no pool of the application's generation and region is declared.
        """
        asker = Asker(application.id, str(application.generation), application.region)
        question, secrets, grant = await self._question(ask, asker, application)
        if ask.passive:
            return await self._from_the_past(question, grant, asker, by)
        if is_open(question):
            admit_detection()
        diagnosis_id = await self._write(question, secrets, asker, by)
        self._carrying.look()
        return await self.get(diagnosis_id)

    async def carry_out(self, ask: Ask, asker: Asker, *, by: str, tell: Tell) -> Diagnosis:
        """Ask, and carry it out in this process; it is told as it goes.

        Args:
            by: who asks, such as ``operator`` with a name.

        Raises:
            As ``ask``.
        """
        question, secrets, grant = await self._question(ask, asker, None)
        if ask.passive:
            found = await self._from_the_past(question, grant, asker, by)
            if found.verdict is not None:
                tell(Concluded(found.verdict))
            return found

        async def write(holder: str) -> str:
            return await self._write(question, secrets, asker, by, holder)

        return await self.get(await self._carrying.here(write, tell))

    async def asker_of(self, ask: Ask) -> Asker:
        """On whose behalf an operator asks who names nobody: the grant's application, or else nobody's.

        Raises:
            NotFound: there is no such grant.
            NoSource: no pool is declared.
        """
        if ask.grant_id:
            grant = await self._grants.get(ask.grant_id)
            return Asker(grant.application_id, str(grant.generation), grant.region)
        environments = [pool.environment for pool in self._policy.pools]
        ranked = sorted(environments, key=lambda e: (e.generation is not Generation.V3, e.kind is not Kind.STATIC))
        if not ranked or ranked[0].generation is Generation.WEBHOOK:
            raise NoSource(
                "this installation declares no pool to ask from",
                reason="unknown_pool",
                hint="The operator adds a [[egress.pool]].",
            )
        return Asker("", str(ranked[0].generation), ranked[0].region)

    async def get(self, diagnosis_id: str) -> Diagnosis:
        """Any application's diagnosis, for those inside. Raises: NotFound."""
        found = await repository.get(self._db, diagnosis_id)
        if found is None:
            raise _unknown(diagnosis_id)
        return found

    async def find(self, application: Application, diagnosis_id: str, *, wait_s: float = 0.0) -> Diagnosis:
        """The application's diagnosis.

        Args:
            wait_s: for how long to wait for its end.

        Raises:
            NotFound: there is none, or it is another application's.
        """
        found = await self.get(diagnosis_id)
        if found.application_id != application.id:
            raise _unknown(diagnosis_id)
        if not wait_s or found.state.is_end:
            return found
        await self._followers.ended(diagnosis_id, wait_s)
        return await self.get(diagnosis_id)

    async def list(
        self,
        application: Application | None,
        *,
        grant_id: str | None = None,
        limit: int,
        before: tuple[datetime, str] | None = None,
    ) -> Sequence[Diagnosis]:
        """The newest first, without their evidence.

        Args:
            application: None for all.
            before: (created_at, id) of the last one of the page before.
        """
        application_id = application.id if application is not None else None
        return await repository.newest(self._db, application_id, grant_id=grant_id, limit=limit, before=before)

    def follow(self, diagnosis_id: str, *, after: int = 0) -> AsyncGenerator[Told | None]:
        """What is told of a diagnosis behind this number, until it has ended; None: nothing new for a while."""
        return self._followers.follow(diagnosis_id, after=after)

    async def told(self, diagnosis_id: str, *, after: int = 0) -> Sequence[Told]:
        """What has been told of a diagnosis so far, behind this number."""
        return await repository.told_after(self._db, diagnosis_id, after, limit=MOST_TOLD)

    async def _from_the_past(self, question: Question, grant: Grant | None, asker: Asker, by: str) -> Diagnosis:
        evidence, verdict = await self._hindsight.look_back(question, grant)
        diagnosis_id = new_id()
        async with self._db.transaction() as tx:
            await repository.insert_concluded(
                tx, diagnosis_id, by=by, scope=asker.scope, evidence=evidence, verdict=verdict
            )
        return await self.get(diagnosis_id)

    async def _question(
        self, ask: Ask, asker: Asker, application: Application | None
    ) -> tuple[Question, Secrets, Grant | None]:
        self._require_pool(asker)
        if not ask.grant_id:
            question, secrets = question_of(ask, asker, subject=new_id())
            if ask.passive and is_open(question):
                raise InvalidRequest(
                    "What happened anyway is known by server and by account, not by e-mail address.",
                    hint="Name a host or a grant_id, or ask without passive.",
                )
            if not ask.passive:
                await self._require_allowed(question)
            return question, secrets, None
        if application is None:
            grant = await self._grants.get(ask.grant_id)
        else:
            grant = await self._grants.find(application, ask.grant_id)
        if grant.stopped_at is not None and not ask.passive:
            require_running(grant)
        question = question_of_grant(ask, asker, grant)
        if grant.status is GrantStatus.INVALID:
            # The server has refused the password already; showing it again tells nothing, and may lock the account.
            question = msgspec.structs.replace(question, with_credentials=False)
        return question, Secrets(), grant

    async def _require_allowed(self, question: Question) -> None:
        """Refuse what is never dialled, and ports that mail does not use, but on networks that the operator opened.

        Raises:
            TargetNotAllowed, InvalidRequest.
        """
        policy = self._policy
        doubtful = require_allowed(question.targets, allow=policy.allow, forbidden=policy.forbidden)
        for target in doubtful:
            lookup = await self._look_up(question, target.host, target.port)
            addresses = [ip_address(address) for address in lookup.addresses]
            # A name that leads nowhere is told so in a verdict; the prober looks at what it leads to later.
            if lookup.problem in {"private", "mixed", "crowd"} or not all(
                any(address in network for network in policy.allow) for address in addresses
            ):
                raise unusual_port(target)

    def _require_pool(self, asker: Asker) -> None:
        declared = {(pool.environment.generation, pool.environment.region) for pool in self._policy.pools}
        if (asker.generation, asker.region) not in declared:
            raise NoSource(
                f"this installation declares no pool {asker.scope}-static or {asker.scope}-dynamic to ask from",
                reason="unknown_pool",
                hint=f"The operator adds a [[egress.pool]] for {asker.scope}.",
            )

    async def _write(
        self, question: Question, secrets: Secrets, asker: Asker, by: str, holder: str | None = None
    ) -> str:
        diagnosis_id = new_id()
        sealed = None
        if secrets.passwords:
            sealed = self._vault.seal(msgspec.json.encode(secrets), context=context_of(diagnosis_id))
        await repository.insert(
            self._db, diagnosis_id, by=by, scope=asker.scope, question=question, sealed=sealed, holder=holder
        )
        return diagnosis_id


def _unknown(diagnosis_id: str) -> NotFound:
    return NotFound(f"There is no diagnosis {diagnosis_id!r}.", hint="GET /v3/diagnoses lists them.")
