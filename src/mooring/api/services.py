"""What the doors call: the services, as far as a door uses them. The bootstrap fills this in; tests pass fakes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mooring.applications import Application, StaticIpsChange
from mooring.calendars import Calendar, Event, EventPage, EventQuery
from mooring.clock import Clock
from mooring.config import Kind, MigrationMode
from mooring.egress import GuardState, LedgerEntry
from mooring.events import EventType
from mooring.events import Recorded as Fact
from mooring.grants import ConnectRequest, Grant, GrantQuery
from mooring.mail import Attachment, Folder, Message, MessageFilter, Page
from mooring.moves import Batch, Move, Recorded
from mooring.send import Submission
from mooring.webhooks import Attempt, Backlog, DeadLetter, NewWebhook, Webhook, WebhookChanges


class ApplicationService(Protocol):
    """Who is calling."""

    async def by_api_key(self, key: str, /) -> Application: ...
    async def by_client_secret(self, client_id: str, secret: str, /) -> Application: ...
    async def get(self, application_id: str, /) -> Application: ...


class GrantService(Protocol):
    """Connected accounts: their lifecycle."""

    async def connect(self, application: Application, request: ConnectRequest, /) -> tuple[Grant, bool]: ...
    async def find(self, application: Application, identifier: str, /) -> Grant: ...
    async def by_access_token(self, token: str, /) -> Grant: ...
    async def list(self, application: Application, query: GrantQuery, /) -> Sequence[Grant]: ...
    async def update(
        self,
        application: Application,
        identifier: str,
        /,
        *,
        settings: dict[str, Any] | None,
        scope: tuple[str, ...] | None,
    ) -> Grant: ...
    async def delete(self, application: Application, identifier: str, /) -> None: ...
    async def issue_token(self, grant: Grant, /) -> str: ...
    async def issue_code(self, grant: Grant, /) -> str: ...
    async def redeem_code(self, application: Application, code: str, /) -> Grant: ...


class PlacementService(Protocol):
    """Where accounts are: stopped, started, and moved."""

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
    async def find_move(self, grant: Grant, move_id: str, /) -> Move: ...
    async def moves(self, grant: Grant, /) -> list[Move]: ...
    async def steps(self, move: Move, /) -> list[Recorded]: ...


class FeatureService(Protocol):
    """Static addresses outside authentication, as far as an application may say."""

    async def ask(self, application_id: str, /, *, note: str) -> Application: ...
    async def ask_for_all(self, application_id: str, /, *, note: str) -> Application: ...
    async def changes(self, application_id: str, /) -> list[StaticIpsChange]: ...
    async def batches(self, application_id: str, /) -> list[Batch]: ...


class MailboxService(Protocol):
    """Reading mail: the stored copy, or live as long as there is none."""

    async def folders(self, grant: Grant, /) -> tuple[list[Folder], datetime | None]: ...
    async def folder(self, grant: Grant, folder_id: str, /) -> Folder: ...
    async def messages(self, grant: Grant, wanted: MessageFilter, /, *, limit: int, cursor: str | None) -> Page: ...
    async def message(self, grant: Grant, message_id: str, /) -> Message: ...
    async def raw(self, grant: Grant, message_id: str, /) -> bytes: ...
    async def headers(self, grant: Grant, message_id: str, /) -> list[tuple[str, str]]: ...
    async def headers_of(self, grant: Grant, messages: list[Message], /) -> dict[str, list[tuple[str, str]]]: ...
    async def attachment(self, grant: Grant, message_id: str, attachment_id: str, /) -> tuple[Attachment, bytes]: ...


class CalendarService(Protocol):
    """Reading calendars, by the same rule."""

    async def calendars(self, grant: Grant, /) -> tuple[list[Calendar], datetime | None]: ...
    async def calendar(self, grant: Grant, calendar_id: str, /) -> Calendar: ...
    async def events(self, grant: Grant, calendar_id: str, query: EventQuery, /) -> EventPage: ...
    async def event(self, grant: Grant, calendar_id: str, event_id: str, /) -> Event: ...


class SendService(Protocol):
    """Sending, at most once."""

    async def send(self, grant: Grant, submission: Submission, /, *, idempotency_key: str | None) -> Message: ...


class AddressList(Protocol):
    """One published list of addresses."""

    @property
    def generation(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def version(self) -> int | str: ...
    @property
    def updated_at(self) -> int: ...
    @property
    def ip_addresses(self) -> Sequence[str]: ...
    @property
    def entries(self) -> Sequence[Any]: ...


class AllowlistService(Protocol):
    """What a mail administrator is told to allow."""

    def static_list(self, application: Application, /) -> AddressList: ...
    def dynamic_list(self, application: Application, /) -> AddressList: ...
    def webhook_list(self, application: Application, /) -> AddressList: ...


class LedgerService(Protocol):
    """What was really dialled."""

    async def entries(
        self,
        *,
        application_id: str | None = None,
        subject: str | None = None,
        server: str | None = None,
        source: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        before: tuple[datetime, str] | None = None,
    ) -> list[LedgerEntry]: ...


class WebhookService(Protocol):
    """Who is told what happens, and what became of that."""

    async def of_application(self, application: Application, /) -> list[Webhook]: ...
    async def find(self, application: Application, webhook_id: str, /) -> Webhook: ...
    async def create(self, application: Application, wanted: WebhookChanges, /) -> NewWebhook: ...
    async def update(self, application: Application, webhook_id: str, changes: WebhookChanges, /) -> Webhook: ...
    async def destroy(self, application: Application, webhook_id: str, /) -> None: ...
    async def rotate_secret(self, application: Application, webhook_id: str, /) -> NewWebhook: ...
    async def send_test(self, application: Application, url: str, type_: EventType, /) -> None: ...
    async def attempts(
        self, webhook: Webhook, /, *, before: datetime | None, failed: bool | None, limit: int
    ) -> list[Attempt]: ...
    async def dead_letters(self, webhook: Webhook, /, *, limit: int, offset: int) -> list[DeadLetter]: ...
    async def resend(self, webhook: Webhook, /, *, grant_id: str | None, sequences: Sequence[int] | None) -> int: ...
    async def backlog(self) -> Backlog: ...


class FactReader(Protocol):
    """What happened to a grant, behind a sequence, in order."""

    async def __call__(self, grant_id: str, /, *, after: int, limit: int) -> list[Fact]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the doors.

    Attributes:
        guard: what is known of the kernel's guard of the exits.
        berths: by source: connections with mail servers that all processes have open, and that are waited for.
        ready: whether this process can do its work now (its database answers, it is not shutting down).
    """

    applications: ApplicationService
    grants: GrantService
    placements: PlacementService
    feature: FeatureService
    mailbox: MailboxService
    calendars: CalendarService
    sender: SendService
    allowlist: AllowlistService
    ledger: LedgerService
    webhooks: WebhookService
    facts: FactReader
    guard: Callable[[], GuardState]
    berths: Callable[[], Awaitable[Mapping[str, tuple[int, int]]]]
    clock: Clock
    ready: Callable[[], Awaitable[bool]]
