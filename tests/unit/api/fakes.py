"""The services behind the doors, in memory: they remember what they were asked, and fail on request."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from mooring.api import Services
from mooring.applications import Application, StaticIps
from mooring.calendars import Calendar, Event, EventPage, EventQuery
from mooring.clock import SystemClock
from mooring.config import Generation, Kind
from mooring.egress import LedgerEntry
from mooring.errors import InvalidRequest, NotFound, ProviderFailure, Unauthorized
from mooring.grants import ConnectRequest, Grant, GrantQuery, GrantStatus, Server, Settings
from mooring.mail import Attachment, Folder, Message, MessageFilter, Page
from mooring.send import Submission
from tests.unit.api.fake_feature import FakeFeature
from tests.unit.api.fake_guard import FakeGuard
from tests.unit.api.fake_placements import FakePlacements
from tests.unit.api.fake_webhooks import FakeWebhooks

V3_KEY = "v3-key"
V2_SECRET = "v2-secret"
V3_TOKEN = "v3-access-token"
V2_TOKEN = "v2-access-token"
PASSWORD = "hunter2-correct-horse"

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())

V3_APPLICATION = Application(
    id="app-v3", organisation_id="default", name="Acme", generation=Generation.V3, region="us",
    static_ips=StaticIps.OFF, created_at=NOW, updated_at=NOW,
)  # fmt: skip
V2_APPLICATION = replace(V3_APPLICATION, id="app-v2", generation=Generation.V2)

GRANT = Grant(
    id="g1", application_id="app-v3", generation=Generation.V3, region="us", feature_on=False, provider="imap",
    email="ann+a@example.com", mail_domain="example.com", subject="s1", environment=Kind.DYNAMIC,
    status=GrantStatus.VALID,
    settings=Settings(
        imap=Server("imap.example.com", 993, "ann"), smtp=Server("smtp.example.com", 465, "ann")
    ),
    name="Ann", state="", scope=(), user_agent="", ip="", sync_error=None, synced_at=NOW, created_at=NOW,
    updated_at=NOW,
)  # fmt: skip
V2_GRANT = replace(GRANT, id="a1", application_id="app-v2", generation=Generation.V2)

FOLDERS = [
    Folder(
        "g1", "inbox", "INBOX", b"INBOX", "/", ("\\HasChildren", "\\Inbox"), selectable=True, complete_at=NOW,
        child_count=1,
    ),
    Folder("g1", "sub", "INBOX/Süb folder", b"INBOX/S&APw-b folder", "/", (), selectable=True, total_count=3),
]  # fmt: skip

ATTACHMENT = Attachment("att1", 'Rechnung "Mai"/ü.pdf', "application/pdf", 5, "cid1", "attachment")

CALENDAR = Calendar("g1", "cal1", "https://dav.example.com/c/", "Work", is_primary=True)

EVENT = Event(
    id="ev1", grant_id="g1", calendar_id="cal1", title="Standup", description="", location="",
    when={"object": "timespan", "start_time": NOW_S, "end_time": NOW_S + 900}, busy=True, read_only=False,
    participants=[{"email": "bob@example.com", "status": "yes"}], organizer=None, status="confirmed",
    visibility="default", recurrence=None, master_event_id=None, original_start_time=None, ical_uid="u1",
    html_link="", reminders=None, created_at=NOW_S, updated_at=NOW_S,
)  # fmt: skip


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def message(number: int, *, grant_id: str = "g1", body: str = "<p>hi</p>") -> Message:
    return Message(
        id=f"m{number}",
        grant_id=grant_id,
        thread_id="t1",
        subject=f"Number {number}",
        from_=raw([{"email": "bob@example.com", "name": "Bob"}]),
        to=raw([{"email": "ann@example.com"}]),
        cc=raw([]),
        bcc=raw([]),
        reply_to=raw([]),
        date=NOW_S - number,
        unread=True,
        starred=False,
        snippet="hi",
        body=raw(body),
        folders=["inbox"],
        attachments=raw([ATTACHMENT]),
        created_at=NOW_S,
    )


def ledger_entry(number: int) -> LedgerEntry:
    return LedgerEntry(
        id=f"00000000-0000-4000-8000-{number:012d}", at=NOW, application_id="app-v3", grant_id="g1", traffic="sync",
        environment="v3-us-dynamic", source="d1", source_address="203.0.113.10", via="bind:203.0.113.10",
        reason="the only source", host="imap.example.com", port=993, remote="198.51.100.1", local="203.0.113.10:4000",
        outcome="opened", phase="", cause="", detail="", resolve_ms=1.0, connect_ms=2.0, tls_ms=3.0, closed_at=None,
    )  # fmt: skip


class Fake:
    """Raises ``error`` from whatever is called next, if it is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[tuple[Any, ...]] = []

    def called(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error


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

    async def by_access_token(self, token: str, /) -> Grant:
        self.called("by_access_token", token)
        match token:
            case "v3-access-token":
                return self.found
            case "v2-access-token":
                return V2_GRANT
            case _:
                raise Unauthorized("Nobody has this access token.")

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

    async def issue_token(self, grant: Grant, /) -> str:
        self.called("issue_token", grant.id)
        return V2_TOKEN

    async def issue_code(self, grant: Grant, /) -> str:
        self.called("issue_code", grant.id)
        return "code-1"

    async def redeem_code(self, application: Application, code: str, /) -> Grant:
        self.called("redeem_code", application.id, code)
        if code != "code-1":
            raise InvalidRequest("This code is not good any more.")
        return V2_GRANT


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


def _list(application: Application, address: str) -> FakeList:
    return FakeList(str(application.generation), application.region, 3, NOW_S, [address], [{"address": address}])


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
    mailbox: FakeMailbox = field(default_factory=FakeMailbox)
    calendars: FakeCalendars = field(default_factory=FakeCalendars)
    placements: FakePlacements = field(default_factory=FakePlacements)
    feature: FakeFeature = field(default_factory=FakeFeature)
    sender: FakeSender = field(default_factory=FakeSender)
    allowlist: FakeAllowlist = field(default_factory=FakeAllowlist)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    webhooks: FakeWebhooks = field(default_factory=FakeWebhooks)
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
            placements=self.placements,
            feature=self.feature,
            mailbox=self.mailbox,
            calendars=self.calendars,
            sender=self.sender,
            allowlist=self.allowlist,
            ledger=self.ledger,
            webhooks=self.webhooks,
            facts=self.webhooks.facts,
            guard=self.guard,
            berths=self.guard.berths,
            clock=SystemClock(),
            ready=ready,
        )
