"""A submission server on 127.0.0.1 that follows a script, and a stream to it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mooring.net import Endpoint, TcpStream
from mooring.net.tls import client_context

DROP = b"<drop>"
"""Close the connection in place of a reply."""

SILENCE = b"<silence>"
"""Say nothing in place of a reply, and go on listening."""

EHLO = b"250-mx.test greets you\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"

GOOD: dict[str, bytes] = {
    "GREETING": b"220 mx.test ESMTP\r\n",
    "EHLO": EHLO,
    "HELO": b"250 mx.test\r\n",
    "STARTTLS": b"220 2.0.0 go ahead\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 end with a dot\r\n",
    "CONTENT": b"250 2.0.0 queued as 4F2A\r\n",
    "RSET": b"250 2.0.0 ok\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


@dataclass
class FakeServer:
    """Answers each verb from its script: one reply, or a list of which each is used once, the last for ever.

    Attributes:
        lines: every command line as it came.
        messages: what came between 354 and the final dot, dots undone.
        received: bytes of content so far, also of a message that never ended.
        drop_in_content: close once this many bytes of content have come.
        refuse_in_content: answer with this once 1,000 bytes of content have come, and close.
        stops_reading: after the 354.
        tls: the server's side of STARTTLS; without it the handshake is never answered.
        implicit_tls: TLS from the first byte, as on port 465.
        after_starttls: what is said in clear, in the same segment as the 220.
    """

    script: dict[str, bytes | list[bytes]] = field(default_factory=dict[str, bytes | list[bytes]])
    drop_in_content: int = 0
    refuse_in_content: bytes = b""
    stops_reading: bool = False
    tls: ssl.SSLContext | None = None
    implicit_tls: ssl.SSLContext | None = None
    after_starttls: bytes = b""
    lines: list[str] = field(default_factory=list[str])
    messages: list[bytes] = field(default_factory=list[bytes])
    received: int = 0
    port: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def reply(self, verb: str) -> bytes:
        match self.script.get(verb, GOOD.get(verb, b"502 5.5.2 what?\r\n")):
            case bytes() as always:
                return always
            case several:
                return several.pop(0) if len(several) > 1 else several[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.finished.set()
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await self._say("GREETING", writer) == DROP:
            return
        while line := await reader.readline():
            self.lines.append(line.decode().rstrip("\r\n"))
            verb = self.lines[-1].split(" ")[0].upper() or "EMPTY"
            known = verb in GOOD or verb in self.script
            answer = await self._say(verb if known else "AUTH", writer)
            if answer == DROP:
                return
            if verb == "STARTTLS" and answer.startswith(b"220"):
                if not self.tls:
                    await self.over.wait()
                    return
                await writer.start_tls(self.tls)
            is_content_due = verb == "DATA" and answer.startswith(b"354")
            if verb == "QUIT" or (is_content_due and not await self._content(reader, writer)):
                return

    async def _say(self, verb: str, writer: asyncio.StreamWriter) -> bytes:
        answer = self.reply(verb)
        if answer not in (DROP, SILENCE):
            writer.write(answer + (self.after_starttls if verb == "STARTTLS" else b""))
            await writer.drain()
        return answer

    async def _content(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.stops_reading:
            await self.over.wait()
            return False
        message = bytearray()
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return False
            message += line[1:] if line.startswith(b".") else line
            self.received = len(message)
            if self.drop_in_content and self.received >= self.drop_in_content:
                writer.transport.abort()
                return False
            if self.refuse_in_content and self.received >= 1000:
                writer.write(self.refuse_in_content)
                await writer.drain()
                return False
        self.messages.append(bytes(message))
        return await self._say("CONTENT", writer) != DROP


@asynccontextmanager
async def dialled(fake: FakeServer) -> AsyncGenerator[TcpStream, None]:
    """A stream to the fake, already open, as ``egress`` would hand it up."""
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0, ssl=fake.implicit_tls)
    fake.port = server.sockets[0].getsockname()[1]
    tls = client_context() if fake.implicit_tls else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", fake.port, ssl=tls, server_hostname="localhost" if tls else None
    )
    local = Endpoint(*writer.get_extra_info("sockname")[:2])
    stream = TcpStream(reader, writer, host="localhost", local=local, peer=Endpoint("127.0.0.1", fake.port))
    try:
        yield stream
    finally:
        fake.over.set()
        writer.transport.abort()
        stream.transport.abort()
        server.close()
        await fake.finished.wait()
