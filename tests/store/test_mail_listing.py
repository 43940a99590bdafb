"""Listing: every filter, and pages without gaps or repeats, also while mail comes in."""

from pathlib import Path
from typing import Any

import pytest

from mooring.errors import InvalidRequest
from mooring.mail import MessageFilter
from mooring.store import Database
from tests.store.mailboxes import AT, Stored, mail, stored_mailbox

WITH_FILE = (
    "MIME-Version: 1.0\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n"
)


@pytest.fixture
async def stored(database: Database, tmp_path: Path) -> Stored:
    return await stored_mailbox(database, tmp_path)


@pytest.fixture
async def filled(stored: Stored) -> Stored:
    """Five messages, each of which some filter tells from the others; 1 is the oldest."""
    inbox, archive = await stored.folders("INBOX", "Archive")
    await stored.add(inbox, mail(1, headers="From: Ann <ANN@example.test>\r\nTo: bob@example.test\r\n"))
    await stored.add(inbox, mail(2, headers="From: bob@example.test\r\nCc: cy@example.test\r\n"), flags=["\\Seen"])
    await stored.add(inbox, mail(3, headers="Bcc: Dee <dee@example.test>\r\n"), flags=["\\Flagged"])
    await stored.add(archive, mail(4, headers="References: <root@x>\r\nTo: ann@example.test, eve@example.test\r\n"))
    await stored.add(archive, mail(5, headers=WITH_FILE), flags=["\\Seen", "\\Flagged"])
    return stored


async def test_all_of_it_newest_first(filled: Stored) -> None:
    assert await filled.subjects() == ["5", "4", "3", "2", "1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"subject": "mail 3"}, "3"),
        ({"subject": "mail"}, "54321"),
        ({"subject": "%"}, ""),
        ({"from_": ("ann@EXAMPLE.test",)}, "1"),
        ({"from_": ("ann@example.test", "bob@example.test")}, "21"),
        ({"to": ("bob@example.test",)}, "1"),
        ({"to": ("eve@example.test",)}, "4"),
        ({"cc": ("cy@example.test",)}, "2"),
        ({"bcc": ("dee@example.test",)}, "3"),
        ({"any_email": ("ann@example.test",)}, "41"),
        ({"any_email": ("bob@example.test",)}, "21"),
        ({"any_email": ("dee@example.test", "cy@example.test")}, "32"),
        ({"any_email": ("example.test",)}, ""),
        ({"unread": True}, "431"),
        ({"unread": False}, "52"),
        ({"starred": True}, "53"),
        ({"starred": False}, "421"),
        ({"has_attachment": True}, "5"),
        ({"has_attachment": False}, "4321"),
        ({"received_after": AT - 800 + 2}, "543"),
        ({"received_before": AT - 800 + 2}, "1"),
        ({"received_after": AT - 800 + 2, "received_before": AT - 800 + 4}, "3"),
        ({"unread": True, "to": ("ann@example.test",), "subject": "4"}, "4"),
        ({"unread": False, "starred": True, "has_attachment": False}, ""),
        ({"thread_id": "none"}, ""),
    ],
)
async def test_filters(filled: Stored, wanted: dict[str, Any], found: str) -> None:
    assert "".join(await filled.subjects(**wanted)) == found
    for path in ("INBOX", "Archive"):
        folder = filled.place(path)
        here = set(await filled.subjects(folder_id=folder))
        inside = "".join(number for number in found if number in here)
        assert "".join(await filled.subjects(folder_id=folder, **wanted)) == inside


async def test_a_thread(filled: Stored) -> None:
    four = await filled.find(mail(4, headers="References: <root@x>\r\nTo: ann@example.test, eve@example.test\r\n"))
    assert four is not None
    inbox = await filled.folder()
    await filled.add(inbox, mail(9, headers="In-Reply-To: <root@x>\r\n"))
    assert await filled.subjects(thread_id=four.thread_id) == ["9", "4"]


async def test_an_unknown_folder_has_nothing(filled: Stored) -> None:
    assert await filled.subjects(folder_id="unknown") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("in_folder", [False, True])
async def test_pages_have_no_gaps_and_no_repeats(stored: Stored, limit: int, in_folder: bool) -> None:
    [inbox] = await stored.folders("INBOX")
    # Many of the same second, so that the id has to decide; some lie in the folder twice.
    same_second = [mail(n, headers="Date: Tue, 14 Nov 2023 22:00:00 +0000\r\n", dated=False) for n in range(7)]
    others = [mail(n) for n in range(10, 17)]
    await stored.add(inbox, *same_second, *others, *same_second[:3], others[0])
    wanted: dict[str, Any] = {"folder_id": inbox.id} if in_folder else {}
    pages = await stored.pages(limit, **wanted)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    found = [message.id for page in pages for message in page]
    assert found == [m.id for m in await stored.page(**wanted)]
    assert sorted(found) == sorted({stored.id_of(raw) for raw in same_second + others})


@pytest.mark.parametrize("in_folder", [False, True])
async def test_mail_that_comes_and_goes_in_between_moves_no_page(stored: Stored, in_folder: bool) -> None:
    [inbox] = await stored.folders("INBOX")
    uids = await stored.add(inbox, *map(mail, range(10)))
    wanted = MessageFilter(folder_id=inbox.id if in_folder else None)
    seen: list[str] = []
    cursor: str | None = None
    for number in range(100, 200):
        page, cursor = await stored.reader.page(stored.grant, stored.key, wanted, limit=3, cursor=cursor)
        seen += [message.subject.removeprefix("mail ") for message in page]
        await stored.add(inbox, mail(number))
        if number == 101:
            await stored.writer.change(inbox, flags={}, gone=[uids[0], uids[9]], announce=False)
        if cursor is None:
            break
    assert seen == ["9", "8", "7", "6", "5", "4", "3", "2", "1"]


@pytest.mark.parametrize("limit", [1, 2])
async def test_mail_without_a_date_has_one_date_in_all_folders(stored: Stored, limit: int) -> None:
    inbox, archive = await stored.folders("INBOX", "Archive")
    undated = [mail(n, dated=False) for n in range(6)]
    for position, raw in enumerate(undated):
        await stored.add(inbox, raw, at=AT + position)
    for position, raw in enumerate(reversed(undated)):
        await stored.add(archive, raw, at=AT + 1000 + position)
    for folder in (inbox, archive):
        found = [message.subject for page in await stored.pages(limit, folder_id=folder.id) for message in page]
        assert found == [f"mail {n}" for n in reversed(range(6))]


async def test_nothing_but_our_cursors(filled: Stored) -> None:
    for folder in (None, filled.place("INBOX")):
        with pytest.raises(InvalidRequest):
            await filled.page(cursor="next please", folder_id=folder)


async def test_children_are_counted(stored: Stored) -> None:
    await stored.folders("INBOX", "A", "A/B", "A/B/C", "A/D", "AB", "A_/x")
    found = {folder.path: folder.child_count for folder in await stored.reader.folders(stored.grant)}
    assert found == {"INBOX": 0, "A": 2, "A/B": 1, "A/B/C": 0, "A/D": 0, "AB": 0, "A_/x": 0}
