"""Reading by offset: windows, threads, files and counts; the same live as stored."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mooring.clock import SystemClock
from mooring.errors import Forbidden, NotFound, ProviderFailure
from mooring.grants import Grant
from mooring.mail import File, FileFilter, MessageFilter, Thread, ThreadFilter
from mooring.store import Database
from mooring.sync import LiveReader, Mailbox, Offsets
from tests.mailhost import Account, Box
from tests.store.mailboxes import AT, HostSessions, Stored, mail, stored_mailbox

WITH_FILE = (
    "MIME-Version: 1.0\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n"
)
ANN, BOB = "From: Ann <ann@example.test>\r\n", "From: bob@example.test\r\n"
ROOT, REPLY = "Message-ID: <root@x>\r\n", "Message-ID: <reply@x>\r\nIn-Reply-To: <root@x>\r\n"
MAILS = {
    1: ANN + "To: bob@example.test\r\n" + ROOT,
    2: BOB + "Cc: Cy <cy@example.test>\r\n" + REPLY,
    3: BOB,
    4: "From: ANN@example.test\r\nReferences: <root@x> <reply@x>\r\n",
    5: BOB + WITH_FILE,
}


@dataclass
class Reading:
    """What an API process reads with."""

    stored: Stored
    account: Account
    sessions: HostSessions
    mailbox: Mailbox
    offsets: Offsets

    @property
    def grant(self) -> Grant:
        return self.stored.grant

    async def fill(self) -> None:
        """Store the five messages: 1, 2, 3 and 5 in the inbox, 4 in Sent, and 1 in Archive as well."""
        inbox, sent, archive = await self.stored.folders("INBOX", "Sent", "Archive")
        for number, headers in MAILS.items():
            flags = ["\\Seen"] if number in {1, 5} else ["\\Flagged"] if number == 3 else []
            await self.stored.add(sent if number == 4 else inbox, mail(number, headers=headers), flags=flags)
        await self.stored.add(archive, mail(1, headers=MAILS[1]), flags=["\\Seen"])
        await self.stored.db.execute("UPDATE folders SET fetched_at = now(), complete_at = now()")

    async def threads(self, *, limit: int = 50, offset: int = 0, **wanted: Any) -> list[Thread]:
        return await self.offsets.threads(self.grant, ThreadFilter(**wanted), limit=limit, offset=offset)

    async def numbers(self, *, limit: int = 50, offset: int = 0, **wanted: Any) -> str:
        found = await self.offsets.messages(self.grant, MessageFilter(**wanted), limit=limit, offset=offset)
        return "".join(message.subject.removeprefix("mail ") for message in found)


@pytest.fixture
async def reading(database: Database, tmp_path: Path) -> Reading:
    stored = await stored_mailbox(database, tmp_path)
    account = Account(boxes={"INBOX": Box(), "Sent": Box()})
    sessions = HostSessions(account)
    mailbox = Mailbox(stored.reader, LiveReader(sessions, stored.keys, SystemClock()), stored.keys, SystemClock())
    offsets = Offsets(mailbox, stored.reader, stored.keys, patience_s=0.6)
    return Reading(stored, account, sessions, mailbox, offsets)


def starts(threads: Iterable[Thread]) -> str:
    """The numbers of the first messages."""
    return "".join(thread.subject.removeprefix("mail ") for thread in threads)


async def test_windows_and_counts(reading: Reading) -> None:
    await reading.fill()
    assert await reading.numbers() == "54321"
    assert await reading.numbers(limit=2) == "54"
    assert await reading.numbers(limit=2, offset=2) == "32"
    assert await reading.numbers(limit=2, offset=4) == "1"
    assert await reading.numbers(offset=2**40) == ""
    inbox = reading.stored.place("INBOX")
    assert await reading.numbers(folder_id=inbox, limit=2, offset=1) == "32"
    for wanted in (
        MessageFilter(),
        MessageFilter(folder_id=inbox),
        MessageFilter(unread=True, from_=("bob@example.test",)),
    ):
        found = await reading.offsets.messages(reading.grant, wanted, limit=50, offset=0)
        assert await reading.offsets.count_messages(reading.grant, wanted) == len(found)
    assert await reading.numbers(filename="a.txt") == "5"


async def test_a_thread_is_what_its_messages_are(reading: Reading) -> None:
    await reading.fill()
    last, middle, conversation = sorted(await reading.threads(), key=lambda t: len(t.message_ids))
    assert starts([last, middle]) in {"53", "35"}
    ids = [reading.stored.id_of(mail(n, headers=MAILS[n])) for n in (1, 2, 4)]
    assert list(conversation.message_ids) == ids
    assert conversation.id == (await reading.offsets.thread(reading.grant, conversation.id)).id
    assert [(p.email, p.name) for p in conversation.participants] == [
        ("ann@example.test", "Ann"), ("bob@example.test", ""), ("cy@example.test", "Cy"),
    ]  # fmt: skip
    first, second, fourth = [(await reading.stored.find(mail(n, headers=MAILS[n]))) for n in (1, 2, 4)]
    assert first is not None
    assert second is not None
    assert fourth is not None
    assert (conversation.first_at, conversation.last_at) == (first.date, fourth.date)
    assert (conversation.last_received_at, conversation.last_sent_at) == (second.date, fourth.date)
    assert (conversation.subject, conversation.snippet) == ("mail 1", fourth.snippet)
    assert (conversation.unread, conversation.starred, conversation.has_attachments) == (True, False, False)
    assert set(conversation.folders) == {reading.stored.place(p) for p in ("INBOX", "Sent", "Archive")}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "513"),
        ({"unread": True}, "13"),
        ({"unread": False}, "5"),
        ({"starred": True}, "3"),
        ({"starred": False}, "51"),
        ({"has_attachment": True}, "5"),
        ({"messages": {"from_": ("ann@example.test",)}}, "1"),
        ({"messages": {"any_email": ("cy@example.test",)}}, "1"),
        ({"messages": {"subject": "mail 4"}}, "1"),
        ({"messages": {"filename": "a.txt"}}, "5"),
        ({"messages": {"folder_id": "Sent"}}, "1"),
        ({"messages": {"folder_id": "INBOX"}}, "513"),
        ({"messages": {"from_": ("bob@example.test",)}, "unread": False}, "5"),
        ({"started_before": 3}, "1"),
        ({"started_after": 1}, "53"),
        ({"last_before": 4}, "3"),
        ({"last_after": 3}, "51"),
    ],
)
async def test_filters_of_threads(reading: Reading, wanted: dict[str, Any], found: str) -> None:
    await reading.fill()
    named = dict(wanted.get("messages", {}))
    if "folder_id" in named:
        named["folder_id"] = reading.stored.place(named["folder_id"])
    times = {key: AT - 800 + value for key, value in wanted.items() if key.endswith(("_before", "_after"))}
    asked: dict[str, Any] = {**wanted, **times, "messages": MessageFilter(**named)}
    assert starts(await reading.threads(**asked)) == found
    assert await reading.offsets.count_threads(reading.grant, ThreadFilter(**asked)) == len(found)
    assert starts(await reading.threads(**asked, limit=1, offset=1)) == found[1:2]


async def test_files(reading: Reading) -> None:
    await reading.fill()
    everything = await reading.offsets.files(reading.grant, FileFilter(), limit=50, offset=0)
    assert [(f.message_id, f.attachment.filename) for f in everything] == [
        (reading.stored.id_of(mail(5, headers=MAILS[5])), "a.txt")
    ]
    [file] = everything
    for wanted, takes in (
        (FileFilter(message_id=file.message_id), True),
        (FileFilter(filename="a.txt", content_type="text/plain"), True),
        (FileFilter(message_id="other"), False),
        (FileFilter(filename="A.TXT"), False),
        (FileFilter(content_type="image/png"), False),
    ):
        found = await reading.offsets.files(reading.grant, wanted, limit=50, offset=0)
        assert found == ([file] if takes else [])
        assert await reading.offsets.count_files(reading.grant, wanted) == len(found)
        assert wanted.takes(file) == takes
    assert await reading.offsets.files(reading.grant, FileFilter(), limit=50, offset=1) == []


async def test_live_as_long_as_nothing_is_stored(reading: Reading) -> None:
    for number, headers in MAILS.items():
        reading.account.inbox.deliver(mail(number, headers=headers))
    assert await reading.numbers(limit=2, offset=1) == "43"
    assert await reading.offsets.count_messages(reading.grant, MessageFilter()) == 5
    threads = await reading.threads()
    assert starts(threads) == "513"
    assert starts(await reading.threads(messages=MessageFilter(from_=("ann@example.test",)))) == "1"
    assert await reading.offsets.count_threads(reading.grant, ThreadFilter(unread=False)) == 0
    assert (await reading.offsets.thread(reading.grant, threads[1].id)).message_ids == threads[1].message_ids
    files: list[File] = await reading.offsets.files(reading.grant, FileFilter(), limit=50, offset=0)
    assert [f.attachment.filename for f in files] == ["a.txt"]
    assert await reading.offsets.count_files(reading.grant, FileFilter(filename="b")) == 0


async def test_could_not_look_is_never_an_empty_list(reading: Reading) -> None:
    reading.sessions.failing = ("connect", "timeout")
    for ask in (
        reading.numbers(),
        reading.threads(),
        reading.offsets.thread(reading.grant, "t"),
        reading.offsets.files(reading.grant, FileFilter(), limit=1, offset=0),
        reading.offsets.count_messages(reading.grant, MessageFilter()),
        reading.offsets.count_threads(reading.grant, ThreadFilter()),
        reading.offsets.count_files(reading.grant, FileFilter()),
    ):
        with pytest.raises(ProviderFailure):
            await ask


async def test_a_stopped_account_is_read_as_far_as_it_is_stored(reading: Reading) -> None:
    reading.stored.grant = replace(reading.grant, stopped_at=datetime.now(UTC))
    with pytest.raises(Forbidden):
        await reading.numbers()
    await reading.fill()
    await reading.stored.db.execute("UPDATE folders SET complete_at = NULL")
    assert (await reading.numbers(), starts(await reading.threads())) == ("54321", "513")
    assert reading.sessions.opened == 0


async def test_a_thread_that_is_not_there(reading: Reading) -> None:
    await reading.fill()
    with pytest.raises(NotFound):
        await reading.offsets.thread(reading.grant, "nope")


async def test_a_window_that_is_not_full_waits_for_the_copy_to_be_whole(reading: Reading) -> None:
    await reading.fill()
    await reading.stored.db.execute("UPDATE folders SET complete_at = NULL")
    assert await reading.numbers(limit=5) == "54321"
    reading.offsets = Offsets(reading.mailbox, reading.stored.reader, reading.stored.keys, patience_s=60)
    waiting = asyncio.create_task(reading.numbers())
    await reading.stored.add(await reading.stored.folder("INBOX"), mail(6))
    await reading.stored.db.execute("UPDATE folders SET complete_at = now()")
    assert await waiting == "654321"


async def test_and_no_longer_than_a_while(reading: Reading) -> None:
    await reading.fill()
    await reading.stored.db.execute("UPDATE folders SET complete_at = NULL")
    assert await reading.numbers() == "54321"
