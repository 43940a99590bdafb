"""Messages, folders and attachments of v3: as much as is asked for, in the shapes that SDKs read."""

import base64
from dataclasses import replace

import httpx
import msgspec
import pytest

from mooring.mail import Attachment
from tests.unit.api.fakes import World


async def test_a_page_of_messages(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/grants/g1/messages?limit=2")
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-mooring-synced-at"] == "2026-01-31T12:00:00Z"
    assert [m["id"] for m in body["data"]] == ["m0", "m1"]
    assert body["next_cursor"] == "2"
    first = body["data"][0]
    assert first["from"] == [{"email": "bob@example.com", "name": "Bob"}]
    assert (first["object"], first["grant_id"], first["folders"]) == ("message", "g1", ["inbox"])
    assert "headers" not in first


async def test_pages_join_up_and_end_with_null(v3: httpx.AsyncClient) -> None:
    seen: list[str] = []
    token = ""
    while token is not None:
        page = (await v3.get(f"/v3/grants/g1/messages?limit=2&page_token={token}")).json()
        seen += [m["id"] for m in page["data"]]
        token = page["next_cursor"]
    assert seen == ["m0", "m1", "m2", "m3", "m4"]


async def test_what_comes_live_does_not_say_how_fresh_it_is(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.synced_at = None
    assert "x-mooring-synced-at" not in (await v3.get("/v3/grants/g1/messages")).headers


async def test_select_keeps_what_sdks_need(v3: httpx.AsyncClient) -> None:
    [first, *_] = (await v3.get("/v3/grants/g1/messages?select=subject,from")).json()["data"]
    assert first.keys() == {"id", "object", "grant_id", "subject", "from"}
    one = (await v3.get("/v3/grants/g1/messages/m1?select=snippet")).json()["data"]
    assert one.keys() == {"id", "object", "grant_id", "snippet"}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ("include_headers", ["Received", "Message-ID", "Received"]),
        ("include_basic_headers", ["Message-ID"]),
    ],
)
async def test_headers_of_one_message_in_their_order(v3: httpx.AsyncClient, fields: str, names: list[str]) -> None:
    found = (await v3.get(f"/v3/grants/g1/messages/m1?fields={fields}")).json()["data"]
    assert [h["name"] for h in found["headers"]] == names
    assert found["subject"] == "Number 1"


async def test_headers_of_a_page_are_asked_for_once(world: World, v3: httpx.AsyncClient) -> None:
    page = (await v3.get("/v3/grants/g1/messages?fields=include_headers")).json()["data"]
    assert page[1]["headers"][1] == {"name": "Message-ID", "value": "<m1@example.com>"}
    assert [call for call in world.mailbox.calls if call[0].startswith("headers")] == [("headers_of", "g1", 5)]


async def test_raw_mime_is_byte_exact_and_alone(world: World, v3: httpx.AsyncClient) -> None:
    found = (await v3.get("/v3/grants/g1/messages/m1?fields=raw_mime")).json()["data"]
    assert found.keys() == {"id", "object", "grant_id", "raw_mime"}
    assert base64.urlsafe_b64decode(found["raw_mime"]) == world.mailbox.mime
    assert len(found["raw_mime"]) % 4 == 0


async def test_a_page_of_raw_mime_is_a_small_page(world: World, v3: httpx.AsyncClient) -> None:
    page = (await v3.get("/v3/grants/g1/messages?fields=raw_mime&limit=200")).json()["data"]
    assert all(m.keys() == {"id", "object", "grant_id", "raw_mime"} for m in page)
    assert world.mailbox.calls[0][3] == 20


async def test_folders(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/grants/g1/folders")
    assert answer.headers["x-mooring-synced-at"] == "2026-01-31T12:00:00Z"
    inbox, sub = answer.json()["data"]
    assert inbox["attributes"] == ["\\Inbox"]
    assert (inbox["system_folder"], inbox["parent_id"], inbox["child_count"]) == (True, None, 1)
    assert (sub["name"], sub["parent_id"], sub["attributes"]) == ("INBOX/Süb folder", "inbox", [])
    assert answer.json()["next_cursor"] is None


async def test_folders_below_one(v3: httpx.AsyncClient) -> None:
    below = (await v3.get("/v3/grants/g1/folders?parent_id=inbox")).json()["data"]
    assert [f["id"] for f in below] == ["sub"]


async def test_folders_are_paged(v3: httpx.AsyncClient) -> None:
    first = (await v3.get("/v3/grants/g1/folders?limit=1")).json()
    second = (await v3.get(f"/v3/grants/g1/folders?limit=1&page_token={first['next_cursor']}")).json()
    assert [f["id"] for f in first["data"] + second["data"]] == ["inbox", "sub"]
    assert second["next_cursor"] is None
    assert (await v3.get("/v3/grants/g1/folders?page_token=WzFd")).status_code == 400


async def test_a_folder(v3: httpx.AsyncClient) -> None:
    listed = (await v3.get("/v3/grants/g1/folders")).json()["data"]
    for folder in listed:
        answer = await v3.get(f"/v3/grants/g1/folders/{folder['id']}")
        assert answer.json()["data"] == folder
        assert answer.headers["x-mooring-synced-at"] == "2026-01-31T12:00:00Z"
    assert (await v3.get("/v3/grants/g1/folders/nope")).status_code == 404


async def test_what_is_in_a_folder_is_not_counted_before_it_is_copied(v3: httpx.AsyncClient) -> None:
    inbox, sub = (await v3.get("/v3/grants/g1/folders")).json()["data"]
    assert (inbox["total_count"], inbox["unread_count"]) == (0, 0)
    assert (sub["total_count"], sub["unread_count"]) == (None, None)


async def test_an_attachment_without_its_bytes(v3: httpx.AsyncClient) -> None:
    found = (await v3.get("/v3/grants/g1/attachments/att1?message_id=m1")).json()["data"]
    assert found["filename"] == 'Rechnung "Mai"/ü.pdf'
    assert (found["grant_id"], found["message_id"], found["size"]) == ("g1", "m1", 5)


@pytest.mark.parametrize("path", ["/v3/grants/g1/attachments/att1", "/v3/grants/g1/attachments/att1/download"])
async def test_an_attachment_belongs_to_a_message(v3: httpx.AsyncClient, path: str) -> None:
    assert (await v3.get(path)).status_code == 400
    assert (await v3.get(path, params={"message_id": "None"})).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/v3/grants/g1/attachments/att1/download?message_id=%3Ca/b@c%3E",
        "/v3/grants/g1/messages/%3Ca%2Fb@c%3E/attachments/att1/download",
    ],
)
async def test_a_download_is_a_file_and_never_runs(world: World, v3: httpx.AsyncClient, path: str) -> None:
    answer = await v3.get(path)
    assert answer.content == b"%PDF-"
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == "5"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Rechnung _Mai__?.pdf\"; filename*=UTF-8''Rechnung%20%22Mai%22_%C3%BC.pdf"
    ).replace("?", "_")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert world.mailbox.calls == [("attachment", "g1", "<a/b@c>", "att1")]


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        ("text/html", "text/html"),
        ("TEXT/HTML; charset=utf-8", "text/html"),
        ("text/html\r\nSet-Cookie: a=b", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("pdf", "application/octet-stream"),
        ("a/b/c", "application/octet-stream"),
        ("ü/x", "application/octet-stream"),
    ],
)
async def test_what_a_mail_claims_stays_out_of_the_headers(
    world: World, v3: httpx.AsyncClient, claimed: str, shown: str
) -> None:
    world.mailbox.described = msgspec.structs.replace(world.mailbox.described, content_type=claimed)
    answer = await v3.get("/v3/grants/g1/attachments/att1/download?message_id=m1")
    assert answer.headers["content-type"] == shown
    assert answer.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("", 'attachment; filename="attachment"'),
        ("\r\nX: y", 'attachment; filename="X: y"'),
        ("../../etc/passwd", 'attachment; filename=".._.._etc_passwd"'),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        ("\ud800", 'attachment; filename="attachment"'),
    ],
)
async def test_file_names_are_quoted(world: World, v3: httpx.AsyncClient, filename: str, header: str) -> None:
    world.mailbox.described = Attachment("att1", filename, "text/plain", 1)
    answer = await v3.get("/v3/grants/g1/attachments/att1/download?message_id=m1")
    assert answer.headers["content-disposition"] == header


async def test_an_empty_download_is_still_an_answer(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.content = b""
    answer = await v3.get("/v3/grants/g1/attachments/att1/download?message_id=m1")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


async def test_a_grant_with_a_failing_sync_says_so(world: World, v3: httpx.AsyncClient) -> None:
    world.grants.found = replace(world.grants.found, sync_error={"stage": "connect"})
    found = (await v3.get("/v3/grants/g1")).json()["data"]
    assert found["sync"] == {
        "state": "failing",
        "synced_at": 1769860800,
        "error": {"stage": "connect"},
        "stopped_at": None,
        "start_due_at": None,
    }
