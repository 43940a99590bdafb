"""The services behind the doors, in memory: they remember what they were asked, and fail on request."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from mooring.allowlist import AddressList, Entry
from mooring.api import Services
from mooring.applications import Application, Changes
from mooring.calendars import Calendar, Event, EventPage, EventQuery
from mooring.clock import SystemClock
from mooring.config import EnvironmentName, Generation
from mooring.egress import LedgerEntry
from mooring.errors import InvalidRequest, NotFound, ProviderFailure, Unauthorized
from mooring.grants import ConnectRequest, Grant, GrantQuery
from mooring.mail import (
    Attachment,
    Folder,
    Message,
    MessageFilter,
    Page,
)
from mooring.reports import Reports
from mooring.send import Submission
from tests.unit.api.fake_detection import FakeDetection
from tests.unit.api.fake_diagnoses import FakeDiagnoses
from tests.unit.api.fake_feature import FakeFeature
from tests.unit.api.fake_guard import FakeGuard
from tests.unit.api.fake_offsets import FakeOffsets
from tests.unit.api.fake_placements import FakePlacements
from tests.unit.api.fake_tokens import FakeTokens
from tests.unit.api.fake_watches import FakeWatches
from tests.unit.api.fake_webhooks import FakeWebhooks
from tests.unit.api.things import (
    ATTACHMENT,
    CALENDAR,
    EVENT,
    FILE,
    FOLDERS,
    GRANT,
    NOW,
    NOW_S,
    PASSWORD,
    THREAD,
    V2_APPLICATION,
    V2_GRANT,
    V2_SECRET,
    V2_TOKEN,
    V3_APPLICATION,
    V3_KEY,
    V3_TOKEN,
    Fake,
    ledger_entry,
    message,
    raw,
)

__all__ = [
    "ATTACHMENT",
    "CALENDAR",
    "EVENT",
    "FILE",
    "FOLDERS",
    "GRANT",
    "NOW",
    "NOW_S",
    "PASSWORD",
    "THREAD",
    "V2_APPLICATION",
    "V2_GRANT",
    "V2_SECRET",
    "V2_TOKEN",
    "V3_APPLICATION",
    "V3_KEY",
    "V3_TOKEN",
    "Fake",
    "FakeOffsets",
    "FakeTokens",
    "World",
    "ledger_entry",
    "message",
    "raw",
]


class FakeApplications(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.v3 = V3_APPLICATION
        self.v2 = V2_APPLICATION

    async def by_api_key(self, key: str, /) -> Application:
        self.called("by_api_key", key)
        if key != V3_KEY:
            raise Unauthorized("No application has this API key.", hint="Send it as `Authorization: Bearer <API key>`.")
        return self.v3

    async def by_client_secret(self, client_id: str, secret: str, /) -> Application:
        self.called("by_client_secret", client_id, secret)
        if (client_id, secret) != (self.v2.id, V2_SECRET):
            raise Unauthorized("This client id and secret belong to no application.")
        return self.v2

    async def get(self, application_id: str, /) -> Application:
        self.called("get", application_id)
        for application in (self.v2, self.v3):
            if application.id == application_id:
                return application
        raise NotFound("There is no such application.")

    async def change(self, application_id: str, changes: Changes, /) -> Application:
        self.called("change", application_id, changes)
        given = {"name": changes.name, "icon_url": changes.icon_url, "redirect_uris": changes.redirect_uris}
        self.v2 = replace(self.v2, **{key: value for key, value in given.items() if value is not None})
        return self.v2


class FakeGrants(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.connected: list[ConnectRequest] = []
        self.connecting_error: ProviderFailure | None = None
        self.found = GRANT

    async def connect(self, application: Application, request: ConnectRequest, /) -> tuple[Grant, bool]:
        self.called("connect", application.id)
        self.verify()
        self.connected.append(request)
        grant = V2_GRANT if application.generation is Generation.V2 else self.found
        return replace(grant, email=request.email, settings=request.settings, state=request.state), True

    def verify(self) -> None:
        """What a server says to a login; nothing, unless it is set."""
        if self.connecting_error is not None:
            raise self.connecting_error

    async def find(self, application: Application, identifier: str, /) -> Grant:
        self.called("find", application.id, identifier)
        grant = V2_GRANT if application.generation is Generation.V2 else self.found
        if identifier.lower() not in {grant.id, f"grant:{grant.id}", grant.email, f"email:{grant.email}"}:
            raise NotFound("There is no such grant.")
        return grant

    async def list(self, application: Application, query: GrantQuery, /) -> list[Grant]:
        self.called("list", application.id, query)
        return [V2_GRANT if application.generation is Generation.V2 else self.found]

    async def update(
        self,
        application: Application,
        identifier: str,
        /,
        *,
        settings: dict[str, Any] | None,
        scope: tuple[str, ...] | None,
    ) -> Grant:
        self.called("update", identifier, settings, scope)
        self.verify()
        return await self.find(application, identifier)

    async def delete(self, application: Application, identifier: str, /) -> None:
        self.called("delete", identifier)
        await self.find(application, identifier)

    async def count(self, application: Application, /) -> int:
        self.called("count", application.id)
        return 1

    async def describe(self, application: Application, identifier: str, /, *, metadata: dict[str, str]) -> Grant:
        self.called("describe", identifier, metadata)
        return replace(await self.find(application, identifier), metadata=metadata)


class FakeMailbox(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.stored = [message(n) for n in range(5)]
        self.mime = b"From: bob@example.com\r\n\r\nhi \xff\xfe\r\n"
        self.content = b"%PDF-"
        self.described = ATTACHMENT
        self.synced_at: datetime | None = NOW

    async def folders(self, grant: Grant, /) -> tuple[list[Folder], datetime | None]:
        self.called("folders", grant.id)
        return FOLDERS, self.synced_at

    async def folder(self, grant: Grant, folder_id: str, /) -> Folder:
        self.called("folder", grant.id, folder_id)
        for folder in FOLDERS:
            if folder.id == folder_id:
                return folder
        raise NotFound("There is no such folder.")

    async def messages(self, grant: Grant, wanted: MessageFilter, /, *, limit: int, cursor: str | None) -> Page:
        self.called("messages", grant.id, wanted, limit, cursor)
        if cursor is not None and not cursor.isdigit():
            raise InvalidRequest("This page_token is not one of ours.")
        start = int(cursor or 0)
        end = start + limit
        return Page(self.stored[start:end], str(end) if end < len(self.stored) else None, self.synced_at)

    async def message(self, grant: Grant, message_id: str, /) -> Message:
        self.called("message", grant.id, message_id)
        for stored in self.stored:
            if stored.id == message_id:
                return stored
        raise NotFound("There is no such message.")

    async def raw(self, grant: Grant, message_id: str, /) -> bytes:
        self.called("raw", grant.id, message_id)
        return self.mime

    async def headers(self, grant: Grant, message_id: str, /) -> list[tuple[str, str]]:
        self.called("headers", grant.id, message_id)
        return [("Received", "from a"), ("Message-ID", "<1@example.com>"), ("Received", "from b")]

    async def headers_of(self, grant: Grant, messages: list[Message], /) -> dict[str, list[tuple[str, str]]]:
        self.called("headers_of", grant.id, len(messages))
        return {m.id: [("Received", "from a"), ("Message-ID", f"<{m.id}@example.com>")] for m in messages}

    async def attachment(self, grant: Grant, message_id: str, attachment_id: str, /) -> tuple[Attachment, bytes]:
        self.called("attachment", grant.id, message_id, attachment_id)
        if attachment_id != self.described.id:
            raise NotFound("There is no such attachment.")
        return self.described, self.content


class FakeCalendars(Fake):
    async def calendars(self, grant: Grant, /) -> tuple[list[Calendar], datetime | None]:
        self.called("calendars", grant.id)
        return [CALENDAR], NOW

    async def calendar(self, grant: Grant, calendar_id: str, /) -> Calendar:
        self.called("calendar", grant.id, calendar_id)
        if calendar_id not in {"cal1", "primary"}:
            raise NotFound("There is no such calendar.")
        return CALENDAR

    async def events(self, grant: Grant, calendar_id: str, query: EventQuery, /) -> EventPage:
        self.called("events", grant.id, calendar_id, query)
        return EventPage([EVENT], None, NOW)

    async def event(self, grant: Grant, calendar_id: str, event_id: str, /) -> Event:
        self.called("event", grant.id, calendar_id, event_id)
        if event_id != EVENT.id:
            raise NotFound("There is no such event.")
        return EVENT


class FakeSender(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Submission, str | None]] = []

    async def send(self, grant: Grant, submission: Submission, /, *, idempotency_key: str | None) -> Message:
        self.called("send", grant.id)
        self.sent.append((submission, idempotency_key))
        return message(99, grant_id=grant.id)


@dataclass(frozen=True, slots=True)
class FakeList:
    generation: str
    region: str
    version: int
    updated_at: int
    ip_addresses: list[str]
    entries: list[dict[str, Any]]


class FakeAllowlist(Fake):
    def static_list(self, application: Application, /) -> FakeList:
        return _list(application, "203.0.113.10")

    def dynamic_list(self, application: Application, /) -> FakeList:
        return _list(application, "198.51.100.20")

    def webhook_list(self, application: Application, /) -> FakeList:
        return _list(application, "192.0.2.30")

    def list_of(self, environment: EnvironmentName, /) -> AddressList:
        return published(environment) if environment.region == "us" else AddressList(environment, 0, 0, ())


def _list(application: Application, address: str) -> FakeList:
    return FakeList(str(application.generation), application.region, 3, NOW_S, [address], [{"address": address}])


def published(environment: EnvironmentName) -> AddressList:
    """The list of any environment."""
    return AddressList(environment, 3, NOW_S, (Entry("203.0.113.10", 4),))


class FakeLedger(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.written = [ledger_entry(n) for n in range(3)]
        self.asked: list[dict[str, Any]] = []

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
    ) -> list[LedgerEntry]:
        self.asked.append({
            "application_id": application_id, "subject": subject, "server": server, "source": source,
            "since": since, "limit": limit, "before": before,
        })  # fmt: skip
        later = [e.id for e in self.written].index(before[1]) + 1 if before else 0
        return self.written[later : later + limit]


@dataclass(slots=True)
class World:
    """All fakes, and what ``create_app`` is given of them."""

    applications: FakeApplications = field(default_factory=FakeApplications)
    grants: FakeGrants = field(default_factory=FakeGrants)
    detection: FakeDetection = field(default_factory=FakeDetection)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    offsets: FakeOffsets = field(default_factory=FakeOffsets)
    mailbox: FakeMailbox = field(default_factory=FakeMailbox)
    calendars: FakeCalendars = field(default_factory=FakeCalendars)
    placements: FakePlacements = field(default_factory=FakePlacements)
    feature: FakeFeature = field(default_factory=FakeFeature)
    sender: FakeSender = field(default_factory=FakeSender)
    allowlist: FakeAllowlist = field(default_factory=FakeAllowlist)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    webhooks: FakeWebhooks = field(default_factory=FakeWebhooks)
    diagnoses: FakeDiagnoses = field(default_factory=FakeDiagnoses)
    watches: FakeWatches = field(default_factory=FakeWatches)
    guard: FakeGuard = field(default_factory=FakeGuard)
    is_ready: Callable[[], bool] = lambda: True

    def renew(self) -> None:
        """Forget everything, for the next test; the application over these fakes is built once."""
        for name in (f.name for f in fields(self) if f.name != "is_ready"):
            getattr(self, name).__init__()
        self.is_ready = lambda: True

    def services(self) -> Services:
        async def ready() -> bool:
            return self.is_ready()

        return Services(
            applications=self.applications,
            grants=self.grants,
            detection=self.detection,
            tokens=self.tokens,
            offsets=self.offsets,
            placements=self.placements,
            feature=self.feature,
            mailbox=self.mailbox,
            calendars=self.calendars,
            sender=self.sender,
            allowlist=self.allowlist,
            ledger=self.ledger,
            webhooks=self.webhooks,
            facts=self.webhooks.facts,
            diagnoses=self.diagnoses,
            reports=Reports(published, "https://mooring.example.com", SystemClock()),
            watches=self.watches,
            guard=self.guard,
            berths=self.guard.berths,
            clock=SystemClock(),
            ready=ready,
        )
