"""What the fakes behind the doors know of: applications, accounts, mail, events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from mooring.applications import Application, StaticIps
from mooring.calendars import Calendar, Event
from mooring.config import Generation, Kind
from mooring.egress import LedgerEntry
from mooring.grants import Grant, GrantStatus, Server, Settings
from mooring.mail import Attachment, File, Folder, Message, Party, Thread

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

FILE = File("m1", msgspec.structs.replace(ATTACHMENT, id="part-2"))

THREAD = Thread(
    id="t1", grant_id="a1", subject="Number 4", snippet="hi",
    participants=(Party("bob@example.com", "Bob"), Party("ann@example.com")), first_at=NOW_S - 4, last_at=NOW_S,
    last_received_at=NOW_S, last_sent_at=None, message_ids=("m4", "m0"), draft_ids=(), unread=True, starred=False,
    has_attachments=True, folders=("inbox",),
)  # fmt: skip

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


def message(
    number: int, *, grant_id: str = "g1", body: str = "<p>hi</p>", attachments: Sequence[Attachment] = (ATTACHMENT,)
) -> Message:
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
        attachments=raw(list(attachments)),
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
