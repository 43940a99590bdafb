"""What the dashboard's doors call: the services, as far as a page uses them. Tests pass fakes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mooring.allowlist import AddressList
from mooring.applications import Application, StaticIps, StaticIpsChange
from mooring.buckets import Buckets, Rate
from mooring.clock import Clock
from mooring.config import EnvironmentName, Kind, MigrationMode
from mooring.diagnosis import Ask, Diagnosis, Told
from mooring.egress import LedgerEntry
from mooring.grants import Grant, GrantQuery, MovePolicy, Tally
from mooring.moves import Batch, Move, Recorded
from mooring.operators import Operator
from mooring.reports import Report

DIAGNOSES = Rate(60, 60, burst=60)
"""Of one person: each is some dozen connections to whatever is named."""


class OperatorService(Protocol):
    """Who is here."""

    async def sign_in(self, name: str, password: str, /, *, address: str) -> str: ...
    async def by_session(self, token: str, /) -> Operator: ...
    async def sign_out(self, token: str, /) -> None: ...


class ApplicationService(Protocol):
    """The applications."""

    async def every(self) -> Sequence[Application]: ...
    async def get(self, application_id: str, /) -> Application: ...
    async def last_static_ips_changes(self) -> Mapping[str, StaticIpsChange]: ...
    async def set_migration_mode(self, application_id: str, mode: MigrationMode | None, /) -> Application: ...


class FeatureService(Protocol):
    """Static addresses: asked for, and decided; and the accounts that move together because of it."""

    async def ask(self, application_id: str, /, *, by: str, note: str) -> Application: ...
    async def ask_for_all(self, application_id: str, /, *, by: str, note: str) -> Application: ...
    async def decide(
        self, application_id: str, wanted: StaticIps, /, *, by: str, note: str
    ) -> tuple[Application, int]: ...
    async def changes(self, application_id: str, /) -> Sequence[StaticIpsChange]: ...
    async def batches(self, application_id: str, /) -> Sequence[Batch]: ...
    async def pause(self, application_id: str, batch_id: str, /) -> None: ...
    async def resume(self, application_id: str, batch_id: str, /) -> None: ...
    async def roll_back(self, application_id: str, batch_id: str, /, *, by: str) -> int: ...


class PlacementService(Protocol):
    """Where accounts are: stopped, started and moved."""

    @property
    def policy(self) -> MovePolicy: ...
    async def stop(self, application: Application, grant: Grant, /, *, by: str) -> None: ...
    async def start(self, application: Application, grant: Grant, /, *, by: str) -> None: ...
    async def move(
        self,
        application: Application,
        grant: Grant,
        to: Kind,
        /,
        *,
        mode: MigrationMode | None,
        dry_run: bool,
        by: str,
    ) -> Move: ...
    async def moves(self, grant: Grant, /) -> Sequence[Move]: ...
    async def steps(self, move: Move, /) -> Sequence[Recorded]: ...


class GrantService(Protocol):
    """Connected accounts."""

    async def get(self, grant_id: str, /) -> Grant: ...
    async def list(self, application: Application, query: GrantQuery, /) -> Sequence[Grant]: ...
    async def tallies(self) -> Mapping[str, Tally]: ...


class LedgerService(Protocol):
    """What was really dialled."""

    async def entries(
        self,
        *,
        application_id: str | None = None,
        subject: str | None = None,
        limit: int = 50,
        before: tuple[datetime, str] | None = None,
    ) -> Sequence[LedgerEntry]: ...


class DiagnosisService(Protocol):
    """Whether servers need static addresses, and how that is known."""

    async def ask(self, application: Application, ask: Ask, /, *, by: str) -> Diagnosis: ...
    async def get(self, diagnosis_id: str, /) -> Diagnosis: ...
    async def list(
        self,
        application: Application | None,
        /,
        *,
        grant_id: str | None = None,
        limit: int,
        before: tuple[datetime, str] | None = None,
    ) -> Sequence[Diagnosis]: ...
    async def told(self, diagnosis_id: str, /, *, after: int) -> Sequence[Told]: ...


class ReportService(Protocol):
    """What is handed on of a diagnosis."""

    def of(self, diagnosis: Diagnosis, /) -> Report: ...


class AllowlistService(Protocol):
    """What a mail administrator is told to allow."""

    def list_of(self, environment: EnvironmentName, /) -> AddressList: ...


class SourceReader(Protocol):
    """The names of the sources that subjects keep, by subject and environment."""

    async def __call__(self, subjects: Sequence[str], /) -> Mapping[tuple[str, str], Sequence[str]]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the dashboard's doors.

    Attributes:
        environments: those that are declared.
        addresses: what the far side sees, by the source's name.
        secure: whether people come by https, so that cookies must not travel otherwise.
        stopping: set when the process is to end, so that streams end before it.
        asking: how often each person has had a server diagnosed.
    """

    operators: OperatorService
    applications: ApplicationService
    feature: FeatureService
    grants: GrantService
    placements: PlacementService
    ledger: LedgerService
    allowlist: AllowlistService
    diagnoses: DiagnosisService
    reports: ReportService
    sources: SourceReader
    environments: Sequence[EnvironmentName]
    addresses: Mapping[str, str]
    clock: Clock
    secure: bool
    stopping: asyncio.Event
    asking: Buckets = field(default_factory=lambda: Buckets(DIAGNOSES))
