"""What the dashboard's doors call: the services, as far as a page uses them. Tests pass fakes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mooring.allowlist import AddressList
from mooring.applications import Application, StaticIps, StaticIpsChange
from mooring.clock import Clock
from mooring.config import EnvironmentName
from mooring.egress import LedgerEntry
from mooring.grants import Grant, GrantQuery, Tally
from mooring.operators import Operator


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


class FeatureService(Protocol):
    """Static addresses: asked for, and decided."""

    async def ask(self, application_id: str, /, *, by: str, note: str) -> Application: ...
    async def decide(
        self, application_id: str, wanted: StaticIps, /, *, by: str, note: str
    ) -> tuple[Application, int]: ...
    async def changes(self, application_id: str, /) -> Sequence[StaticIpsChange]: ...


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
    """

    operators: OperatorService
    applications: ApplicationService
    feature: FeatureService
    grants: GrantService
    ledger: LedgerService
    allowlist: AllowlistService
    sources: SourceReader
    environments: Sequence[EnvironmentName]
    addresses: Mapping[str, str]
    clock: Clock
    secure: bool
    stopping: asyncio.Event
