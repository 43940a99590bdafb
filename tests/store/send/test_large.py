"""Sending megabytes: whole, and without keeping the loop from anybody else."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import msgspec
import pytest
import trustme

from mooring.api import create_app
from mooring.errors import Conflict, NotFound
from mooring.grants import Grant, Server, TlsMode
from mooring.mail import MailReader
from mooring.send import SentAttachment
from mooring.send.outcomes import raw_context
from mooring.send.repository import STREAMED, intend
from tests.protocol.smtp.fake import GOOD
from tests.store.send.world import ADDRESS, HELLO, World, server_tls
from tests.turns import LARGE, watched, yardstick_s
from tests.unit.api import fakes

LIFE = timedelta(minutes=1)
TO_BOB = {"to": [{"email": "bob@example.test"}], "subject": "Large", "body": "<p>Here it is.</p>"}
AS_JSON = json.dumps(
    {**TO_BOB, "attachments": [{"filename": "a.bin", "content": base64.b64encode(LARGE).decode()}]}
).encode()
AS_MULTIPART = b"".join(
    (
        b'--xyz\r\nContent-Disposition: form-data; name="message"; filename=""\r\n\r\n', json.dumps(TO_BOB).encode(),
        b'\r\n--xyz\r\nContent-Disposition: form-data; name="file0"; filename="a.bin"\r\n\r\n', LARGE,
        b"\r\n--xyz--\r\n",
    )
)  # fmt: skip


@dataclass
class Swallower:
    """A submission server on a loop of its own, in a thread of its own, so that its work is nobody else's."""

    message: bytearray = field(default_factory=bytearray)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD["GREETING"])
        while line := await reader.readline():
            verb = line.split()[0].decode().upper()
            writer.write(b"250-mx.test\r\n250-SIZE\r\n250 AUTH PLAIN\r\n" if verb == "EHLO" else GOOD[verb])
            if verb == "DATA":
                while not self.message.endswith(b"\r\n.\r\n"):
                    self.message += await reader.read(1 << 20)
                writer.write(GOOD["CONTENT"])
        writer.close()

    @contextmanager
    def running(self, tls: ssl.SSLContext) -> Generator[None]:
        loop, listening = asyncio.new_event_loop(), threading.Event()

        async def listen() -> None:
            async with await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls) as server:
                self.port = server.sockets[0].getsockname()[1]
                listening.set()
                await over.wait()

        over = asyncio.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(listen()))
        thread.start()
        assert listening.wait(10)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()
            loop.close()


@pytest.fixture
def swallower(trusted: trustme.CA) -> Generator[Swallower]:
    server = Swallower()
    with server.running(server_tls(trusted)):
        yield server


def sends_to(grant: Grant, port: int) -> Grant:
    smtp = Server("127.0.0.1", port, ADDRESS, TlsMode.IMPLICIT)
    return replace(grant, settings=msgspec.structs.replace(grant.settings, smtp=smtp))


async def posted(app: Any, grant: Grant, body: list[bytes], content_type: str) -> tuple[int, bytes]:
    """What the application answers to this body, which comes to it in pieces as from a socket."""
    arriving, answer = iter(body), list[Any]()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        piece = next(arriving, b"")
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(event: dict[str, Any]) -> None:
        answer.append(event.get("status") or event.get("body"))

    path = f"/v3/grants/{grant.id}/messages/send"
    headers = [
        (b"host", b"api.test"), (b"authorization", f"Bearer {fakes.V3_KEY}".encode()),
        (b"content-type", content_type.encode()), (b"content-length", str(sum(map(len, body))).encode()),
    ]  # fmt: skip
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "client": ("192.0.2.7", 4711),
    }  # fmt: skip
    await app(scope, receive, send)
    return answer[0], b"".join(answer[1:])


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(AS_JSON, "application/json"), (AS_MULTIPART, "multipart/form-data; boundary=xyz")],
    ids=["json", "multipart"],
)
async def test_a_large_message_is_sent_beside_the_loop(
    world: World, swallower: Swallower, body: bytes, content_type: str
):
    grant = sends_to(world.grant, swallower.port)
    services = fakes.World()
    services.grants.found = grant
    app = create_app(replace(services.services(), sender=world.sender()))
    pieces = [body[at : at + (1 << 16)] for at in range(0, len(body), 1 << 16)]

    async with watched() as turns:
        status, answer = await posted(app, grant, pieces, content_type)

    assert status == 200, answer
    sent = message_from_bytes(bytes(swallower.message[:-3]), policy=policy.default)
    (attached,) = sent.iter_attachments()
    is_whole = attached.get_payload(decode=True) == LARGE
    assert is_whole
    assert msgspec.json.decode(answer)["data"]["attachments"][0]["size"] == len(LARGE)
    assert turns.longest_s < yardstick_s() / 3

    (row,) = await world.rows()
    key = await world.keys.data_key(grant)
    is_kept = key.unpack(row["raw"], raw_context(row["id"])) == bytes(swallower.message[:-3])
    assert is_kept


async def test_a_large_message_is_read_beside_the_loop(world: World):
    head = b"From: bob@example.test\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    raw = head + base64.encodebytes(LARGE)
    (message_id,) = await world.store(raw)
    reader, key = MailReader(world.db, world.objects), await world.keys.data_key(world.grant)
    async with watched() as turns:
        found = await reader.raw(world.grant, key, [message_id])
        message = await reader.message(world.grant, key, message_id)
    is_whole = found[message_id] == raw
    assert is_whole
    assert message is not None
    assert turns.longest_s < yardstick_s() / 3


async def test_many_long_bodies_are_read_beside_the_loop(world: World):
    text = base64.encodebytes(LARGE[: 1 << 19])
    raws = [b"Subject: %d\r\n\r\n%s" % (number, text) for number in range(50)]
    ids = await world.store(*raws)
    reader, key = MailReader(world.db, world.objects), await world.keys.data_key(world.grant)
    async with watched() as turns:
        found = await reader.some(world.grant, key, [*ids, "not stored"])
    assert {identity: message.subject for identity, message in found.items()} == {
        identity: str(number) for number, identity in enumerate(ids)
    }
    assert turns.longest_s < yardstick_s() / 3


async def test_a_large_message_is_sent_once_under_its_key(world: World, swallower: Swallower):
    grant = sends_to(world.grant, swallower.port)
    submission = replace(
        HELLO, attachments=(SentAttachment("a.bin", "application/octet-stream", LARGE[: 2 * STREAMED]),)
    )
    first = await world.sender().send(grant, submission, idempotency_key="k")
    assert await world.sender().send(grant, submission, idempotency_key="k") == first
    other = replace(submission, attachments=(replace(submission.attachments[0], content=LARGE[1 : 2 * STREAMED]),))
    with pytest.raises(Conflict):
        await world.sender().send(grant, other, idempotency_key="k")
    assert await world.states() == ["sent"]


@pytest.mark.parametrize("size", [10, STREAMED + 1], ids=["as a parameter", "in pieces"])
async def test_an_intent_is_written_whole_and_its_key_is_taken_once(world: World, size: int):
    async def write(number: int, key: str | None, grant_id: str = world.grant.id) -> bool:
        return await intend(
            world.db, grant_id, f"submission-{number}", idempotency_key=key, request_hash=b"h" * 32, message_id="m",
            message_id_header="ü@x", raw=LARGE[:size], life=LIFE,
        )  # fmt: skip

    assert [await write(1, "k"), await write(2, "k"), await write(3, None), await write(4, None)] == [
        True, False, True, True,
    ]  # fmt: skip
    rows = await world.rows()
    assert [row["id"] for row in rows] == ["submission-1", "submission-3", "submission-4"]
    assert {(row["raw"], row["state"], row["request_hash"], row["message_id_header"]) for row in rows} == {
        (LARGE[:size], "intended", b"h" * 32, "ü@x")
    }
    assert [row["idempotency_key"] for row in rows] == ["k", None, None]
    given_up = "SELECT bool_and(given_up_at - created_at BETWEEN interval '59 s' AND interval '61 s') FROM submissions"
    assert await world.db.fetchval(given_up)
    with pytest.raises(NotFound):
        await write(5, None, "no-such-grant")
