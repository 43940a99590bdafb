"""An open connection, however it was opened: the narrow waist between protocols and the network."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mooring.errors import Phase
from mooring.net.errors import phase
from mooring.net.tls import client_context

CHUNK = 64 * 1024
"""Bytes asked for in one read; also where a reader that is not drained stops the peer."""


CLOSE_S = 30.0
"""Seconds for a peer to end a connection that was closed here; asyncio's own patience with TLS is as long."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection: an IP address in its canonical spelling, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Stream(Protocol):
    """Bytes both ways over a connection that is already open. The caller closes it."""

    @property
    def local(self) -> Endpoint:
        """Our end, as the kernel has it (behind a proxy source: our end of the way to the proxy)."""
        ...

    @property
    def peer(self) -> Endpoint:
        """Their end: the resolved address that was dialled."""
        ...

    @property
    def host(self) -> str:
        """The name that was asked for; what the certificate is verified against."""
        ...

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        """Some bytes, or ``b""`` when the peer has finished.

        Raises:
            ReadTimeout: nothing came within ``timeout_s`` seconds (None waits for ever).
            ConnectionLost: the connection broke.
        """
        ...

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        """Hand over all of ``data``; returns once the kernel's buffer has room again.

        Raises:
            WriteTimeout, ConnectionLost.
        """
        ...

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        """Upgrade in place (RFC 2595 §2.1), verifying the certificate against ``host``.

        Bytes that came before the handshake are thrown away, so that nothing injected in clear is
        ever read as if it had been protected.

        Raises:
            TLSFailed.
        """
        ...

    async def aclose(self) -> None:
        """Close at once; never raises, never waits for the peer."""
        ...


class Layer:
    """A Stream over another one: what a layer does not change, it passes on. Closing it closes the other."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def local(self) -> Endpoint:
        return self._stream.local

    @property
    def peer(self) -> Endpoint:
        return self._stream.peer

    @property
    def host(self) -> str:
        return self._stream.host

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        return await self._stream.receive(timeout_s=timeout_s)

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        await self._stream.send(data, timeout_s=timeout_s)

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        await self._stream.start_tls(timeout_s=timeout_s)

    async def aclose(self) -> None:
        await self._stream.aclose()


class TcpStream:
    """A Stream over asyncio's own transport.

    Attributes:
        rtt_ms: how long the handshake of TCP took, in milliseconds, as the kernel knows it; of a proxy, with that.
        retransmits: SYNs that were sent again.
    """

    __slots__ = ("_host", "_local", "_peer", "_reader", "_unread", "_writer", "retransmits", "rtt_ms")

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        host: str,
        local: Endpoint,
        peer: Endpoint,
        rtt_ms: float = 0.0,
        retransmits: int = 0,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._local = local
        self._peer = peer
        self._unread = b""
        self.rtt_ms = rtt_ms
        self.retransmits = retransmits

    @property
    def local(self) -> Endpoint:
        return self._local

    @property
    def peer(self) -> Endpoint:
        return self._peer

    @property
    def host(self) -> str:
        return self._host

    @property
    def transport(self) -> asyncio.WriteTransport:
        """Asyncio's transport, for a library that brings its own asyncio protocol (aiosmtplib)."""
        return self._writer.transport

    @property
    def finished(self) -> bool:
        """Whether the peer has closed its side and everything it sent was read."""
        return not self._unread and self._reader.at_eof()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, or None while the connection is in clear."""
        return self._writer.get_extra_info("ssl_object")

    @property
    def certificate(self) -> bytes | None:
        """The peer's certificate in DER, or None while the connection is in clear."""
        return None if self.tls is None else self.tls.getpeercert(binary_form=True)

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        with phase(Phase.READ, f"{self._host}:{self._peer.port}"):
            async with asyncio.timeout(timeout_s):
                return await self._reader.read(CHUNK)

    async def peek(self, *, timeout_s: float | None = None) -> bytes:
        """What the next ``receive`` will give; raises what that raises."""
        self._unread = await self.receive(timeout_s=timeout_s)
        return self._unread

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        with phase(Phase.WRITE, f"{self._host}:{self._peer.port}"):
            async with asyncio.timeout(timeout_s):
                self._writer.write(data)
                await self._writer.drain()

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        with phase(Phase.TLS, f"{self._host}:{self._peer.port}"):
            self._discard_clear_bytes()
            async with asyncio.timeout(timeout_s):
                # Certificates name hosts without the dot that makes a name absolute (RFC 6066 §3).
                await self._writer.start_tls(client_context(), server_hostname=self._host.rstrip("."))

    async def aclose(self) -> None:
        self._writer.transport.abort() if self._writer.is_closing() else self._writer.close()

    async def wait_closed(self) -> None:
        """Return once what ``aclose`` closed has ended: in TLS when the peer has said so, too, or was given up."""
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        self.abort()

    def abort(self) -> None:
        """End the connection here and now, whatever it is doing; asyncio tells nobody of the end of a handshake."""
        self._writer.transport.abort()

    def _discard_clear_bytes(self) -> None:
        self._unread = b""
        buffer: bytearray = getattr(self._reader, "_buffer")  # noqa: B009 - no public way to drop it
        buffer.clear()
