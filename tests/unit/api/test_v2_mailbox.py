"""Reading a mailbox in v2: windows by offset, views, threads, folders, files."""

import httpx
import pytest

from mooring.mail import FileFilter
from tests.unit.api.fakes import ATTACHMENT, FILE, NOW_S, V2_TOKEN, World, message


@pytest.fixture
def account(anybody: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller with an account's access token."""
    anybody.headers["Authorization"] = f"Bearer {V2_TOKEN}"
    return anybody


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [("", 50, 0), ("?offset=50&limit=50", 50, 50), ("?limit=1000", 100, 0), ("?offset=20000", 50, 20000)],
)
async def test_a_window_of_messages(
    world: World, account: httpx.AsyncClient, query: str, limit: int, offset: int
) -> None:
    world.offsets.stored = [message(n) for n in range(120)]
    found = (await account.get(f"/messages{query}")).json()
    assert [m["id"] for m in found] == [f"m{n}" for n in range(120)[offset : offset + limit]]


async def test_views_of_messages(account: httpx.AsyncClient) -> None:
    assert (await account.get("/messages?view=ids&limit=2")).json() == ["m0", "m1"]
    assert (await account.get("/messages?view=count")).json() == {"count": 5}
    plain, expanded = [(await account.get(f"/messages?limit=1{view}")).json() for view in ("", "&view=expanded")]
    assert expanded == [{**plain[0], "headers": {"Message-Id": "<m0@example.com>"}}]
    assert (await account.get("/messages/m1?view=expanded")).json()["headers"] == {"Message-Id": "<m1@example.com>"}


async def test_filters_of_messages(world: World, account: httpx.AsyncClient) -> None:
    await account.get("/messages?unread=True&filename=a.pdf&thread_id=t1&any_email=a@b.c,d@e.f&received_after=7")
    [(_, _, wanted, _, _)] = world.offsets.calls
    assert (wanted.unread, wanted.filename, wanted.thread_id) == (True, "a.pdf", "t1")
    assert (wanted.any_email, wanted.received_after) == (("a@b.c", "d@e.f"), 7)


async def test_several_messages_at_once(account: httpx.AsyncClient) -> None:
    assert [m["id"] for m in (await account.get("/messages/m3,m1,m3?offset=0&limit=100")).json()] == ["m3", "m1"]
    assert [m["id"] for m in (await account.get("/messages/m3,m1?offset=1&limit=100")).json()] == ["m1"]
    assert (await account.get("/messages/m3,nope")).status_code == 404
    assert (await account.get("/messages/" + ",".join(f"m{n}" for n in range(101)))).status_code == 400


async def test_threads(account: httpx.AsyncClient) -> None:
    [thread] = (await account.get("/threads?limit=5")).json()
    assert thread == {
        "id": "t1", "object": "thread", "account_id": "a1", "subject": "Number 4", "snippet": "hi",
        "participants": [{"email": "bob@example.com", "name": "Bob"}, {"email": "ann@example.com"}],
        "first_message_timestamp": NOW_S - 4, "last_message_timestamp": NOW_S,
        "last_message_received_timestamp": NOW_S, "last_message_sent_timestamp": None, "message_ids": ["m4", "m0"],
        "draft_ids": [], "version": 2, "unread": True, "starred": False, "has_attachments": True,
        "folders": [
            {"id": "inbox", "account_id": "g1", "name": "inbox", "display_name": "INBOX", "object": "folder"}
        ],
    }  # fmt: skip
    assert (await account.get("/threads/t1?offset=0")).json() == thread
    assert (await account.get("/threads?view=ids")).json() == ["t1"]
    assert (await account.get("/threads?view=count")).json() == {"count": 1}
    assert (await account.get("/threads/nope")).status_code == 404


async def test_what_is_said_of_a_thread_is_not_said_of_its_messages(world: World, account: httpx.AsyncClient) -> None:
    await account.get("/threads?unread=false&starred=true&from=a@b.c&in=inbox&started_after=1&last_message_before=9")
    [(_, _, wanted, _, _)] = world.offsets.calls
    assert (wanted.unread, wanted.starred, wanted.started_after, wanted.last_before) == (False, True, 1, 9)
    assert (wanted.messages.unread, wanted.messages.starred) == (None, None)
    assert (wanted.messages.from_, wanted.messages.folder_id) == (("a@b.c",), "inbox")


@pytest.mark.parametrize("path", ["/threads?view=expanded", "/threads/t1?view=expanded"])
async def test_threads_have_no_expanded_view_and_say_so(account: httpx.AsyncClient, path: str) -> None:
    answer = await account.get(path)
    assert (answer.status_code, answer.json()["type"]) == (400, "invalid_request_error")
    assert "thread_id=" in answer.json()["message"]


async def test_folders_and_no_labels(account: httpx.AsyncClient) -> None:
    folders = (await account.get("/folders?offset=0&limit=50")).json()
    assert [(f["name"], f["display_name"]) for f in folders] == [("inbox", "INBOX"), (None, "INBOX/Süb folder")]
    assert (await account.get("/folders/sub")).json() == folders[1]
    assert (await account.get("/folders?view=ids&offset=1")).json() == ["sub"]
    assert (await account.get("/folders?view=count")).json() == {"count": 2}
    for path in ("/labels", "/labels/x", "/folders/nope"):
        assert (await account.get(path)).status_code == 404


async def test_files(world: World, account: httpx.AsyncClient) -> None:
    found = (await account.get("/files?message_id=m1&filename=x")).json()
    assert [(f["id"], f["message_ids"], f["object"]) for f in found] == [("m1-part-2", ["m1"], "file")]
    assert world.offsets.calls[-1][2] == FileFilter("m1", "x", None)
    assert (await account.get("/files?view=ids")).json() == ["m1-part-2"]
    assert (await account.get("/files?view=count")).json() == {"count": 1}


async def test_a_file_by_itself(world: World, account: httpx.AsyncClient) -> None:
    world.mailbox.described = FILE.attachment
    world.mailbox.stored = [message(1, attachments=[ATTACHMENT, FILE.attachment])]
    found = (await account.get("/files/m1-part-2")).json()
    assert (found["id"], found["size"], found["content_type"]) == ("m1-part-2", 5, "application/pdf")
    content = await account.get("/files/m1-part-2/download")
    assert (content.content, content.headers["content-type"]) == (b"%PDF-", "application/pdf")
    assert ("attachment", "a1", "m1", "part-2") in world.mailbox.calls
    for path in ("/files/m1-part-9", "/files/nope", "/files/-part-1", "/files/nope/download"):
        assert (await account.get(path)).status_code == 404
