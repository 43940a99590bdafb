"""Endpoints on loopback that remember what they were told, and behave as they are told to."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.4.1"

#: The answer to a delivery: a status, or None for an endpoint that accepts and never answers.
Behaviour = Callable[[dict[str, Any]], int | None]


def take(_told: dict[str, Any]) -> int | None:
    return 200


def hang(_told: dict[str, Any]) -> int | None:
    return None


@dataclass
class Delivered:
    """One request that came."""

    headers: dict[str, str]
    raw: bytes
    source: str

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def sequence(self) -> int:
        return int(self.told["data"]["object"]["id"].rpartition("-")[2])

    def is_signed_by(self, secret: str) -> bool:
        return hmac.new(secret.encode(), self.raw, hashlib.sha256).hexdigest() == self.headers["x-nylas-signature"]


@dataclass
class Receiver:
    """An endpoint.

    Attributes:
        behaviour: what it answers to a delivery.
        challenge_answer: what it answers to the challenge; None: the challenge itself.
        came: every delivery, in order; taken: those that were answered with 2xx.
    """

    url: str
    behaviour: Behaviour = take
    challenge_answer: bytes | None = None
    headers: str = ""
    body: bytes = b""
    came: list[Delivered] = field(default_factory=list[Delivered])
    taken: list[Delivered] = field(default_factory=list[Delivered])

    def taken_of(self, grant_id: str) -> list[int]:
        """The numbers of the facts that were taken of this grant, in order."""
        return [d.sequence for d in self.taken if d.told["data"]["grant_id"] == grant_id]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = writer.get_extra_info("peername")[0]
        while (request := await _request(reader)) is not None:
            target, headers, raw = request
            if word := parse_qs(urlsplit(target).query).get("challenge"):
                writer.write(
                    _answer(200, self.challenge_answer if self.challenge_answer is not None else word[0].encode())
                )
                continue
            delivered = Delivered(headers, raw, source)
            self.came.append(delivered)
            status = self.behaviour(delivered.told if headers.get("content-encoding") != "gzip" else {})
            if status is None:
                await reader.read()
                return
            if 200 <= status < 300:
                self.taken.append(delivered)
            writer.write(_answer(status, self.body, self.headers))


@asynccontextmanager
async def receiving(behaviour: Behaviour = take, *, host: str = HOST) -> AsyncGenerator[Receiver]:
    """An endpoint on a free port, for as long as the block lasts."""
    handlers: set[asyncio.Task[None]] = set()
    receiver = Receiver("", behaviour)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await receiver.handle(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, host, 0)
    receiver.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        asyncio.get_running_loop().remove_reader(server.sockets[0].fileno())
        for _ in range(20):
            await asyncio.sleep(0)
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def _answer(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} So\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return first.split()[1], headers, await reader.readexactly(int(headers.get("content-length", "0")))
