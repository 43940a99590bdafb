"""Answers of megabytes: whole, of the length that they say, and never made in one turn of the loop."""

import base64
from typing import Any

import httpx
import msgspec
import pytest

from mooring.api.pieces import Base64Url, Pieces, Whole
from tests.turns import LARGE, watched, yardstick_s
from tests.unit.api.fakes import V2_TOKEN, World, message

MESSAGE = "/v3/grants/g1/messages/m1"
V2 = {"Authorization": V2_TOKEN, "Accept": "message/rfc822"}


def content_of(body: bytes) -> bytes:
    return base64.urlsafe_b64decode(msgspec.json.decode(body)["data"]["raw_mime"])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 192 * 1024, 192 * 1024 + 1, 1_000_000])
async def test_raw_mime_of_any_size(world: World, v3: httpx.AsyncClient, size: int) -> None:
    world.mailbox.mime = (b"\xfb\xff\xfe" * (size // 3 + 1))[:size]
    answer = await v3.get(f"{MESSAGE}?fields=raw_mime")
    assert content_of(answer.content) == world.mailbox.mime
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-type"] == "application/json"


async def test_a_page_of_raw_messages(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.mime = bytes(range(256)) * 2000
    answer = await v3.get("/v3/grants/g1/messages?fields=raw_mime&limit=3&select=raw_mime")
    data = answer.json()["data"]
    assert [base64.urlsafe_b64decode(one["raw_mime"]) for one in data] == [world.mailbox.mime] * 3
    assert [one["id"] for one in data] == ["m0", "m1", "m2"]
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_raw_mime_that_is_not_asked_for_is_not_there(v3: httpx.AsyncClient) -> None:
    answer = await v3.get("/v3/grants/g1/messages?fields=raw_mime&select=object")
    assert all(one.keys() == {"id", "grant_id", "object"} for one in answer.json()["data"])


async def test_a_head_of_a_large_answer_has_its_length_and_no_body(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.content = bytes(1_000_000)
    answer = await v3.head("/v3/grants/g1/attachments/att1/download?message_id=m1")
    assert (answer.headers["content-length"], answer.content) == ("1000000", b"")


async def test_a_large_page_is_whole(world: World, v3: httpx.AsyncClient) -> None:
    world.mailbox.stored = [message(n, body="ü" * 700_000) for n in range(3)]
    answer = await v3.get("/v3/grants/g1/messages")
    assert [one["body"] for one in answer.json()["data"]] == ["ü" * 700_000] * 3
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{MESSAGE}?fields=raw_mime", {}),
        ("/v3/grants/g1/attachments/att1/download?message_id=m1", {}),
        ("/messages/m1", V2),
    ],
    ids=["raw_mime", "attachment", "v2"],
)
async def test_the_loop_is_never_kept_for_long(
    world: World, served: tuple[World, Any], v3: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    world.mailbox.mime = world.mailbox.content = LARGE
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.body":
            pieces.append(event["body"])

    request = v3.build_request("GET", path, headers=headers)
    scope = {
        "type": "http", "method": "GET", "path": request.url.path, "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query, "headers": [(k.lower(), v) for k, v in request.headers.raw],
        "client": ("192.0.2.7", 4711),
    }  # fmt: skip
    async with watched() as turns:
        await served[1](scope, receive, send)
    body = b"".join(pieces)
    assert (content_of(body) if b"raw_mime" in body[:500] else body) == LARGE
    assert max(map(len, pieces)) <= 256 * 1024
    assert turns.longest_s < yardstick_s() / 3


async def test_pieces_know_their_length() -> None:
    parts = [Whole(b"a" * 300_000), Base64Url(b"b" * 200_001), Whole(b"")]
    assert Pieces(parts).content_length == sum(len(piece) for part in parts for piece in part) == 300_000 + 266_668
