"""Reading for the doors: live as long as nothing is stored, then the copy, and never an empty answer for a failure."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mooring.errors import Forbidden, InvalidRequest, NotFound, ProviderFailure
from mooring.grants import Grant, GrantStatus
from mooring.mail import Attachment, MessageFilter, Page, folders_of
from mooring.store import Database
from mooring.sync import LiveReader, Mailbox
from mooring.sync.budget import Means
from mooring.sync.folder import FolderSync
from mooring.sync.intake import Cuts
from mooring.sync.live import LARGEST_LOOK
from tests.mailhost import Account, Box
from tests.store.mailboxes import AT, HostSessions, Stored, mail, stored_mailbox

FILE_HEADERS = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nFrom: eve@example.test\r\n"
FILE_PARTS = (
    "--b\r\n\r\nHi\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfile\r\n--b--"
)
NEWEST = 50


class MovedClock:
    """A clock that the test moves; the wall stands still."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(AT, UTC)

    def monotonic(self) -> float:
        return self.at


@dataclass
class Reading:
    """What an API process reads with, and what a worker stores meanwhile."""

    stored: Stored
    account: Account
    sessions: HostSessions
    clock: MovedClock
    live: LiveReader
    mailbox: Mailbox

    @property
    def grant(self) -> Grant:
        return self.stored.grant

    async def page(self, *, limit: int = 50, cursor: str | None = None, **wanted: Any) -> Page:
        return await self.mailbox.messages(self.grant, MessageFilter(**wanted), limit=limit, cursor=cursor)

    async def numbers(self, **wanted: Any) -> str:
        page = await self.page(**wanted)
        return " ".join(message.subject.removeprefix("mail ") for message in page.messages)

    async def store(self, *paths: str) -> None:
        """Have the worker list all folders, and bring these in step."""
        self.clock.at += 10
        client = await self.account.client()
        await self.stored.writer.set_folders(folders_of(self.grant.id, await client.list()))
        for path in paths:
            folder = await self.stored.folder(path)
            await FolderSync(client, self.stored.writer, folder, Means(), Cuts()).run(date(2020, 1, 1))
        await client.aclose()


@pytest.fixture
async def reading(database: Database, tmp_path: Path) -> Reading:
    stored = await stored_mailbox(database, tmp_path)
    account = Account(boxes={"INBOX": Box(), "Sent": Box(), "Tree": Box(attributes="\\Noselect")})
    for number in range(1, 6):
        account.inbox.deliver(mail(number))
    account.boxes["Sent"].deliver(mail(9))
    sessions, clock = HostSessions(account), MovedClock()
    live = LiveReader(sessions, stored.keys, clock)
    mailbox = Mailbox(stored.reader, live, stored.keys, clock, patience_s=0.1)
    return Reading(stored, account, sessions, clock, live, mailbox)


async def test_live_until_stored_and_the_same_either_way(reading: Reading) -> None:
    live = await reading.page()
    assert live.synced_at is None
    assert [message.subject for message in live.messages] == [f"mail {n}" for n in (5, 4, 3, 2, 1)]
    assert {f for message in live.messages for f in message.folders} == {reading.stored.place("INBOX")}
    await reading.store("INBOX")
    opened = reading.sessions.opened
    kept = await reading.page()
    assert kept.synced_at is not None
    assert [replace_made(m) for m in kept.messages] == [replace_made(m) for m in live.messages]
    assert reading.sessions.opened == opened


def replace_made(message: Any) -> Any:
    """The message, whenever it was first seen."""
    return msgspec.structs.replace(message, created_at=0)


async def test_the_folder_decides_whether_there_is_a_copy(reading: Reading) -> None:
    await reading.store("Sent")
    assert (await reading.page(folder_id=reading.stored.place("Sent"))).synced_at is not None
    assert (await reading.page(folder_id=reading.stored.place("INBOX"))).synced_at is None
    page = await reading.page()
    assert (page.synced_at, len(page.messages)) == (None, 5)
    await reading.store("INBOX")
    page = await reading.page()
    assert (page.synced_at is not None, len(page.messages)) == (True, 6)


async def test_a_look_holds_no_more_than_it_may_and_rather_the_newest(reading: Reading) -> None:
    text = "x" * (LARGEST_LOOK // 3)
    for number in (6, 7, 8):
        reading.account.inbox.deliver(mail(number, text))
    assert await reading.numbers() == "8 7"


async def test_an_empty_folder_is_empty_and_not_asked_for_again(reading: Reading) -> None:
    reading.account.inbox.letters.clear()
    assert await reading.numbers() == ""
    await reading.store("INBOX")
    opened = reading.sessions.opened
    assert await reading.numbers() == ""
    assert reading.sessions.opened == opened


@pytest.mark.parametrize("path", [None, "INBOX", "Sent"])
async def test_could_not_look_is_never_an_empty_page(reading: Reading, path: str | None) -> None:
    await reading.store()
    reading.sessions.failing = ("connect", "timeout")
    folder = reading.stored.place(path) if path else None
    opened = reading.sessions.opened
    for age in (0, 20):
        reading.clock.at += age
        with pytest.raises(ProviderFailure) as caught:
            await reading.page(folder_id=folder)
        assert (caught.value.stage, caught.value.traffic) == ("connect", "live")
        assert caught.value.environment == "dynamic"
        assert ("Found 20 s ago" in caught.value.message) == bool(age)
    assert reading.sessions.opened == opened + 1
    reading.clock.at += 10
    reading.sessions.failing = None
    assert (await reading.page(folder_id=folder)).messages


async def test_a_failure_does_not_outlive_what_it_was_found_with(reading: Reading) -> None:
    reading.sessions.failing = ("login", "authentication")
    with pytest.raises(ProviderFailure):
        await reading.page()
    reading.sessions.failing = None
    reading.stored.grant = replace(reading.grant, updated_at=reading.grant.updated_at + timedelta(seconds=1))
    assert len((await reading.page()).messages) == 5


async def test_folders_fail_as_messages_do(reading: Reading) -> None:
    reading.sessions.failing = ("connect", "timeout")
    with pytest.raises(ProviderFailure):
        await reading.mailbox.folders(reading.grant)
    reading.clock.at += 31
    reading.sessions.failing = None
    folders, synced_at = await reading.mailbox.folders(reading.grant)
    assert ([f.path for f in folders], synced_at) == (["INBOX", "Sent", "Tree"], None)


async def test_all_who_ask_at_once_share_one_session(reading: Reading) -> None:
    reading.sessions.gate.clear()
    asking = [asyncio.create_task(reading.numbers()) for _ in range(10)]
    await asyncio.wait(asking, timeout=0.05)
    reading.sessions.gate.set()
    assert {await task for task in asking} == {"5 4 3 2 1"}
    assert reading.sessions.opened == 1


@pytest.mark.parametrize("is_listed", [False, True])
async def test_an_unknown_folder_is_a_wrong_request(reading: Reading, is_listed: bool) -> None:
    if is_listed:
        await reading.store("INBOX")
    with pytest.raises(InvalidRequest, match="is not the id of a folder"):
        await reading.page(folder_id="unknown")
    with pytest.raises(NotFound):
        await reading.mailbox.folder(reading.grant, "unknown")


@pytest.mark.parametrize("is_listed", [False, True])
async def test_a_level_of_the_tree_has_no_messages_and_is_not_asked_for(reading: Reading, is_listed: bool) -> None:
    if is_listed:
        await reading.store("INBOX")
    assert (await reading.page(folder_id=reading.stored.place("Tree"))).messages == []
    assert not [command for command in reading.account.commands if "Tree" in command]


async def test_a_message_that_was_listed_can_be_found_wherever_it_lies(reading: Reading) -> None:
    await reading.store("INBOX")
    [listed] = (await reading.page(folder_id=reading.stored.place("Sent"))).messages
    assert await reading.mailbox.message(reading.grant, listed.id) == listed
    assert await reading.mailbox.raw(reading.grant, listed.id) == mail(9)
    with pytest.raises(NotFound):
        await reading.mailbox.message(reading.grant, "unknown")


async def test_a_message_is_found_live_before_anything_was_listed(reading: Reading) -> None:
    identity = reading.stored.id_of(mail(3))
    assert (await reading.mailbox.message(reading.grant, identity)).subject == "mail 3"
    with pytest.raises(NotFound):
        await reading.mailbox.message(reading.grant, "unknown")
    reading.clock.at += 31
    reading.sessions.failing = ("connect", "timeout")
    with pytest.raises(ProviderFailure):
        await reading.mailbox.message(reading.grant, identity)


async def test_pages_of_a_live_look(reading: Reading) -> None:
    found, cursor = list[str](), None
    while True:
        page = await reading.page(limit=2, cursor=cursor)
        found.append(" ".join(m.subject.removeprefix("mail ") for m in page.messages))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == ["5 4", "3 2", "1"]
    with pytest.raises(InvalidRequest):
        await reading.page(cursor="nothing of ours")


async def test_pages_that_begin_live_go_on_in_the_stored_copy(reading: Reading) -> None:
    first = await reading.page(limit=2)
    await reading.store("INBOX")
    second = await reading.page(limit=9, cursor=first.next_cursor)
    assert [message.subject for message in second.messages] == ["mail 3", "mail 2", "mail 1"]


async def test_who_follows_the_cursors_while_the_copy_grows_gets_every_message_once(reading: Reading) -> None:
    for number in range(100, 200):
        reading.account.inbox.deliver(mail(number))
    found, cursor, pages = list[str](), None, list[int]()
    storing: dict[int, tuple[str, ...]] = {2: ("INBOX",), 5: ("Sent",)}
    while cursor is not None or not pages:
        if len(pages) in storing:
            await reading.store(*storing[len(pages)])
        page = await reading.page(limit=40, cursor=cursor)
        found += [message.id for message in page.messages]
        pages.append(len(page.messages))
        cursor = page.next_cursor
    # Of the look at 50; then as many of the inbox as a cursor can name; then the wait for what else there is.
    assert pages == [40, 10, 40, 10, 0, 6]
    assert len(found) == len(set(found)) == 106


async def test_a_folder_that_is_whole_has_a_last_page_whatever_others_have(reading: Reading) -> None:
    await reading.store("INBOX")
    assert (await reading.page(folder_id=reading.stored.place("INBOX"))).next_cursor is None
    assert (await reading.page()).next_cursor is not None


async def test_a_page_without_anything_begins_again_while_the_copy_grows(reading: Reading) -> None:
    await reading.store("INBOX")
    nothing = await reading.page(subject="mail 9")
    assert (nothing.messages, nothing.next_cursor is None) == ([], False)
    await reading.store("Sent")
    again = await reading.page(subject="mail 9", cursor=nothing.next_cursor)
    assert ([m.subject for m in again.messages], again.next_cursor) == (["mail 9"], None)


async def test_a_page_waits_for_what_is_being_copied(reading: Reading) -> None:
    await reading.store("INBOX")
    patient = Mailbox(reading.stored.reader, reading.live, reading.stored.keys, reading.clock, patience_s=30)
    asking = asyncio.create_task(patient.messages(reading.grant, MessageFilter(subject="mail 9"), limit=5, cursor=None))
    await reading.store("Sent")
    async with asyncio.timeout(10):
        assert [message.subject for message in (await asking).messages] == ["mail 9"]


async def test_a_copy_that_stopped_growing_says_why(reading: Reading) -> None:
    await reading.store("INBOX")
    reading.stored.grant = replace(reading.grant, sync_error={"stage": "connect", "reason": "timeout"})
    reading.sessions.failing = ("connect", "timeout")
    assert len((await reading.page()).messages) == 5
    with pytest.raises(ProviderFailure):
        await reading.page(subject="mail 9")


async def test_a_password_that_is_known_to_be_wrong_is_not_tried_by_looks(reading: Reading) -> None:
    reading.stored.grant = replace(reading.grant, status=GrantStatus.INVALID)
    for look in (reading.page, lambda: reading.mailbox.folders(reading.grant)):
        with pytest.raises(Forbidden, match="no longer accepts"):
            await look()
    assert reading.sessions.opened == 0


async def test_a_live_look_brings_the_newest_however_many_are_claimed(reading: Reading) -> None:
    for number in range(100, 200):
        reading.account.inbox.deliver(mail(number))
    page = await reading.page(limit=200)
    assert [message.subject for message in page.messages] == [f"mail {n}" for n in range(199, 199 - NEWEST, -1)]
    reading.clock.at += 6
    reading.account.claims = "1:4294967290"
    assert (await reading.page()).messages == []


@pytest.mark.parametrize("is_stored", [False, True])
async def test_headers_and_attachments(reading: Reading, is_stored: bool) -> None:
    raw = mail(77, headers=FILE_HEADERS, text=FILE_PARTS)
    reading.account.inbox.deliver(raw)
    if is_stored:
        await reading.store("INBOX")
    identity = reading.stored.id_of(raw)
    message = await reading.mailbox.message(reading.grant, identity)
    [listed] = msgspec.json.decode(message.attachments, type=list[Attachment])
    info, data = await reading.mailbox.attachment(reading.grant, identity, listed.id)
    assert (info, info.filename, data) == (listed, "a.txt", b"file")
    with pytest.raises(NotFound, match="no attachment"):
        await reading.mailbox.attachment(reading.grant, identity, "part-9")
    headers = await reading.mailbox.headers(reading.grant, identity)
    assert ("From", "eve@example.test") in headers
    assert await reading.mailbox.headers_of(reading.grant, [message]) == {identity: headers}


FILTERS: list[dict[str, Any]] = [
    {"subject": "mail 3"}, {"subject": "MAIL"}, {"unread": True}, {"unread": False}, {"starred": True},
    {"has_attachment": True}, {"has_attachment": False}, {"from_": ("EVE@example.test",)}, {"to": ("bob@x",)},
    {"any_email": ("bob@x", "eve@example.test")}, {"cc": ("bob@x",)}, {"bcc": ("bob@x",)},
    {"received_after": AT - 800 + 2}, {"received_before": AT - 800 + 2}, {"thread_id": "none"},
]  # fmt: skip


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
async def test_live_and_stored_filters_agree(reading: Reading, wanted: dict[str, Any]) -> None:
    reading.account.inbox.deliver(mail(30, headers=FILE_HEADERS, text=FILE_PARTS), "\\Seen")
    reading.account.inbox.deliver(mail(31, headers="To: BOB@x\r\nCc: eve@example.test\r\n"), "\\Flagged")
    live = await reading.numbers(**wanted)
    await reading.store("INBOX")
    assert await reading.numbers(**wanted) == live


async def test_the_copy_is_as_fresh_as_the_last_pass_that_saw_it_in_step(reading: Reading) -> None:
    await reading.store("INBOX", "Sent")
    folder = reading.stored.place("Sent")
    written = (await reading.page(folder_id=folder)).synced_at
    assert written is not None
    passed = written + timedelta(minutes=5)
    reading.stored.grant = replace(reading.grant, synced_at=passed)
    reading.clock.at += 2
    assert (await reading.page(folder_id=folder)).synced_at == passed
    await reading.stored.writer.fail(await reading.stored.folder("Sent"), {"reason": "refused"})
    reading.clock.at += 2
    assert (await reading.page(folder_id=folder)).synced_at == written
    reading.stored.grant = replace(reading.grant, synced_at=written - timedelta(days=1))
    reading.clock.at += 2
    assert (await reading.page()).synced_at is not None
    assert (await reading.page(folder_id=folder)).synced_at == written
