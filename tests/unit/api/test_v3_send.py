"""Sending: JSON, and multipart as either SDK frames it; nothing is sent that was not asked for."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.api.submissions import TOTAL_LIMIT
from mooring.mail import Party
from mooring.send import SentAttachment, Submission
from tests.unit.api.fakes import World

PATH = "/v3/grants/g1/messages/send"


def sent(world: World) -> Submission:
    [(submission, _)] = world.sender.sent
    return submission


async def test_json_becomes_a_submission(world: World, v3: httpx.AsyncClient) -> None:
    answer = await v3.post(
        PATH,
        json={
            "to": [{"email": "a@b.c", "name": "A"}],
            "cc": [{"email": "c@b.c"}],
            "bcc": [{"email": "d@b.c", "name": None}],
            "reply_to": [{"email": "e@b.c"}],
            "from": [{"email": "f@b.c"}],
            "subject": "Grüße",
            "body": "<b>hi</b>",
            "is_plaintext": True,
            "reply_to_message_id": "m1",
            "custom_headers": [{"name": "X-A", "value": "1"}],
            "attachments": [
                {"filename": "a.txt", "content_type": "text/plain", "content": base64.b64encode(b"hi").decode()},
                {"filename": "i.png", "content": "aGk=", "content_id": "<cid1>", "is_inline": True, "size": 2},
                {"filename": "j.png", "content": "aG\nk=", "content_disposition": "inline"},
            ],
            "unknown": 1,
        },
    )
    assert answer.status_code == 200
    assert answer.json()["data"]["grant_id"] == "g1"
    assert sent(world) == Submission(
        to=(Party("a@b.c", "A"),),
        cc=(Party("c@b.c"),),
        bcc=(Party("d@b.c"),),
        reply_to=(Party("e@b.c"),),
        from_=Party("f@b.c"),
        subject="Grüße",
        body="<b>hi</b>",
        is_plaintext=True,
        reply_to_message_id="m1",
        custom_headers=(("X-A", "1"),),
        attachments=(
            SentAttachment("a.txt", "text/plain", b"hi"),
            SentAttachment("i.png", "application/octet-stream", b"hi", "cid1", is_inline=True),
            SentAttachment("j.png", "application/octet-stream", b"hi", is_inline=True),
        ),
    )


async def test_one_sender_may_be_no_list(world: World, v3: httpx.AsyncClient) -> None:
    await v3.post(PATH, json={"to": {"email": "a@b.c"}, "from": {"email": "f@b.c"}})
    assert (sent(world).to, sent(world).from_) == ((Party("a@b.c"),), Party("f@b.c"))


def framed(parts: list[tuple[str, bytes]], boundary: str = "xyz") -> bytes:
    """A multipart body; each part is its headers and its content."""
    body = b"".join(f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n" for headers, content in parts)
    return body + f"--{boundary}--\r\n".encode()


MULTIPART = {"Content-Type": "multipart/form-data; boundary=xyz"}

#: The JSON part of either SDK: as a file without a name, in ASCII; and as a plain field, in UTF-8.
PYTHON_PART = (
    'Content-Disposition: form-data; name="message"; filename=""\r\nContent-Type: application/json',
    json.dumps({"to": [{"email": "a@b.c"}], "subject": "Grüße"}).encode(),
)
NODE_PART = (
    'Content-Disposition: form-data; name="message"',
    json.dumps({"to": [{"email": "a@b.c"}], "subject": "Grüße"}, ensure_ascii=False).encode(),
)
NUMBERED = (
    'Content-Disposition: form-data; name="file0"; filename="ü.bin"\r\nContent-Type: application/x-thing',
    bytes(range(256)),
)
INLINE = (
    'Content-Disposition: form-data; name="logo@x"; filename="logo.png"\r\nContent-Type: image/png',
    b"png",
)
EMPTY = ('Content-Disposition: form-data; name="file2"; filename="empty"\r\nContent-Type: text/plain', b"")


@pytest.mark.parametrize("part", [PYTHON_PART, NODE_PART], ids=["python", "node"])
async def test_multipart_of_either_sdk(world: World, v3: httpx.AsyncClient, part: tuple[str, bytes]) -> None:
    answer = await v3.post(PATH, content=framed([part, NUMBERED, INLINE, EMPTY]), headers=MULTIPART)
    assert answer.status_code == 200, answer.text
    assert (sent(world).subject, sent(world).to) == ("Grüße", (Party("a@b.c"),))
    assert sent(world).attachments == (
        SentAttachment("ü.bin", "application/x-thing", bytes(range(256))),
        SentAttachment("logo.png", "image/png", b"png", "logo@x", is_inline=True),
        SentAttachment("empty", "text/plain", b""),
    )


async def test_multipart_in_chunks_without_a_length(world: World, v3: httpx.AsyncClient) -> None:
    big = (INLINE[0], b"x" * 300_000)
    whole = framed([NODE_PART, big])

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 7001):
            yield whole[start : start + 7001]

    answer = await v3.post(PATH, content=chunks(), headers=MULTIPART)
    assert answer.status_code == 200
    assert sent(world).attachments[0].content == big[1]


@pytest.mark.parametrize("named", ["message", "draft"])
async def test_the_json_part_has_either_name(world: World, v3: httpx.AsyncClient, named: str) -> None:
    part = (NODE_PART[0].replace("message", named), NODE_PART[1])
    assert (await v3.post(PATH, content=framed([part]), headers=MULTIPART)).status_code == 200
    assert sent(world).subject == "Grüße"


async def test_a_large_attachment_that_was_a_file_on_disk(world: World, v3: httpx.AsyncClient) -> None:
    content = b"z" * (4 * 1024 * 1024)
    answer = await v3.post(PATH, content=framed([PYTHON_PART, (NUMBERED[0], content)]), headers=MULTIPART)
    assert answer.status_code == 200
    assert sent(world).attachments[0].content == content


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (framed([NUMBERED]), "api.invalid_request_error"),
        (framed([(NODE_PART[0], b"{")]), "api.invalid_request_payload"),
        (framed([(NODE_PART[0], b"[]")]), "api.invalid_request_error"),
        (framed([(NODE_PART[0], b"\xff")]), "api.invalid_request_payload"),
        (
            framed([(NODE_PART[0] + '\r\nContent-Type: text/plain; charset="a\x00b"', b"{}")]),
            "api.invalid_request_payload",
        ),
        (
            framed([(NODE_PART[0] + "\r\nContent-Type: text/plain; charset=klingon", b"{}")]),
            "api.invalid_request_payload",
        ),
        (framed([NODE_PART, ('Content-Disposition: form-data; name="note"', b"hi")]), "api.invalid_request_error"),
        (framed([NODE_PART])[:-12], "api.invalid_request_payload"),
        (b"", "api.invalid_request_error"),
        (b"not multipart at all", "api.invalid_request_payload"),
    ],
)
async def test_multipart_that_cannot_be_meant(world: World, v3: httpx.AsyncClient, body: bytes, kind: str) -> None:
    answer = await v3.post(PATH, content=body, headers=MULTIPART)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, kind)
    assert world.sender.sent == []


async def test_multipart_without_a_boundary(v3: httpx.AsyncClient) -> None:
    answer = await v3.post(PATH, content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "api.invalid_request_payload")


@pytest.mark.parametrize(
    "body",
    [
        {"to": "a@b.c"},
        {"to": [{"name": "A"}]},
        {"to": [None]},
        {"from": [{"email": "a@b.c"}, {"email": "b@b.c"}]},
        {"attachments": [{"filename": "a", "content": "not base64!"}]},
        {"attachments": [{"filename": "a"}]},
        {"send_at": 1900000000},
        {"use_draft": True},
        {"tracking_options": {"opens": True}},
        {"metadata": {"key1": "x"}},
        {"template": {"id": "t"}},
        {"subject": "\x00"},
        {"subject": 1},
    ],
    ids=repr,
)
async def test_what_cannot_be_sent_as_asked_is_not_sent(world: World, v3: httpx.AsyncClient, body: Any) -> None:
    answer = await v3.post(PATH, json={"to": [{"email": "a@b.c"}], **body})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "api.invalid_request_error")
    assert world.sender.sent == []


async def test_a_backslash_before_u0000_is_no_nul(world: World, v3: httpx.AsyncClient) -> None:
    assert (await v3.post(PATH, json={"to": [], "subject": "\\u0000"})).status_code == 200
    assert sent(world).subject == "\\u0000"


async def test_raw_mime_is_refused(v3: httpx.AsyncClient) -> None:
    assert (await v3.post(f"{PATH}?type=mime", content=b"x", headers=MULTIPART)).status_code == 400


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, None),
        ({"Idempotency-Key": "k"}, "k"),
        ({"Idempotency-Key": "k" * 256}, "k" * 256),
    ],
)
async def test_the_idempotency_key_is_handed_on(
    world: World, v3: httpx.AsyncClient, headers: dict[str, str], key: str | None
) -> None:
    await v3.post(PATH, json={"to": []}, headers=headers)
    assert [k for _, k in world.sender.sent] == [key]


@pytest.mark.parametrize("key", [b"k" * 257, "ü".encode(), b"", b"  "])
async def test_an_idempotency_key_that_cannot_be_one(world: World, v3: httpx.AsyncClient, key: bytes) -> None:
    answer = await v3.post(PATH, json={"to": []}, headers=[(b"Idempotency-Key", key)])
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "api.invalid_idempotency_key")
    assert world.sender.sent == []


async def test_a_message_above_the_limit_is_413(world: World, v3: httpx.AsyncClient) -> None:
    part = (NUMBERED[0], bytes(TOTAL_LIMIT + 1))
    answer = await v3.post(PATH, content=framed([PYTHON_PART, part]), headers=MULTIPART)
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "api.request_too_large")
    assert "25 MB" in answer.json()["error"]["message"]
    assert world.sender.sent == []


async def test_a_body_that_is_large_without_long_texts_is_413(world: World, v3: httpx.AsyncClient) -> None:
    headers = [{"name": "X-A", "value": "x" * 1000}] * 2000
    answer = await v3.post(PATH, json={"to": [{"email": "a@b.c"}], "custom_headers": headers})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "api.request_too_large")
    assert world.sender.sent == []


@pytest.mark.parametrize("as_multipart", [False, True], ids=["json", "multipart"])
async def test_a_long_body_and_long_attachments(world: World, v3: httpx.AsyncClient, as_multipart: bool) -> None:
    html, content = '<p class="a">Grüße 😀</p>\n' * 40_000, bytes(range(256)) * 8_000
    message = {
        "to": [{"email": "a@b.c", "name": "n" * 5_000}],
        "body": html,
        "attachments": [{"filename": "f" * 5_000, "content": base64.b64encode(content).decode()}] * 2,
    }
    if as_multipart:
        answer = await v3.post(
            PATH, content=framed([(PYTHON_PART[0], json.dumps(message).encode())]), headers=MULTIPART
        )
    else:
        answer = await v3.post(PATH, json=message)
    assert answer.status_code == 200, answer.text
    assert sent(world).body == html
    assert sent(world).to == (Party("a@b.c", "n" * 5_000),)
    assert sent(world).attachments == (SentAttachment("f" * 5_000, "application/octet-stream", content),) * 2


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("!" + "QUJD" * 100_000, "api.invalid_request_error"),
        ("QUJD" * 100_000 + "Q", "api.invalid_request_error"),
        ("QQ==" + "QUJD" * 100_000, "api.invalid_request_error"),
        ("ü" * 100_000, "api.invalid_request_error"),
    ],
    ids=range(4),
)
async def test_long_content_that_is_no_base64(world: World, v3: httpx.AsyncClient, content: str, kind: str) -> None:
    answer = await v3.post(PATH, json={"to": [{"email": "a@b.c"}], "attachments": [{"content": content}]})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, kind)
    assert world.sender.sent == []


async def test_a_body_far_above_the_limit_is_not_even_read(world: World, v3: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield framed([PYTHON_PART])[:-8]
        while True:
            yield bytes(1024 * 1024)

    answer = await v3.post(PATH, content=endless(), headers=MULTIPART)
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "api.request_too_large")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([*NODE_PART, "--xyz", "--xyz--", "\r\n", "\r\n\r\n", b"\xff", "\x00", '"', ";", "=", "charset"])
    )
)
async def test_any_multipart_body_is_sent_or_refused(v3: httpx.AsyncClient, pieces: list[str | bytes]) -> None:
    body = b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)
    answer = await v3.post(PATH, content=body, headers=MULTIPART)
    assert answer.status_code in {200, 400}
