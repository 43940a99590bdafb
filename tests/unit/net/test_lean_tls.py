"""TLS with one read buffer for all connections: nothing is mixed up, nothing is lost, nothing piles up."""

import asyncio
import random
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mooring.net.listener import server_context
from mooring.net.tls import LeanSSLProtocol
from tests.lab.certificates import Authority
from tests.waiting import until_async

HOST = "mail.test"
Ends = tuple[tuple[StreamReader, StreamWriter], tuple[StreamReader, StreamWriter]]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The client's and the server's."""
    folder: Path = tmp_path_factory.mktemp("authority")
    authority = Authority(folder)
    certificate = authority.good([HOST])
    return (
        ssl.create_default_context(cafile=str(authority.bundle)),
        server_context(certificate.chain, certificate.key),
    )


@asynccontextmanager
async def connected(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncGenerator[Ends]:
    """A client and a server that speak TLS over a pair of sockets."""
    client, server = contexts
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    accepted = StreamReader(limit=4096)
    protocol = asyncio.StreamReaderProtocol(accepted)
    loop = asyncio.get_running_loop()
    near, (transport, _) = await asyncio.gather(
        asyncio.open_connection(sock=ours, ssl=client, server_hostname=HOST, limit=4096),
        loop.connect_accepted_socket(lambda: protocol, theirs, ssl=server),
    )
    far = (accepted, StreamWriter(transport, protocol, accepted, loop))
    try:
        yield near, far
    finally:
        for _, writer in (near, far):
            writer.transport.abort()


async def carry(source: StreamWriter, target: StreamReader, data: bytes, chance: random.Random) -> None:
    """Send it in pieces of any size, read it in pieces of any size, and compare."""

    async def send() -> None:
        at = 0
        while at < len(data):
            size = chance.choice((1, 100, 4096, 4097, 16 * 1024, 100_000))
            source.write(data[at : at + size])
            await source.drain()
            at += size

    sending = asyncio.create_task(send())
    received = bytearray()
    while len(received) < len(data):
        part = await target.read(chance.choice((1, 1000, 4096, 65_536)))
        assert part, f"the stream ended after {len(received)} of {len(data)} bytes"
        received += part
    await sending
    assert received == data


async def test_connections_that_share_the_buffer_keep_their_data_apart(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async def both_ways(seed: int) -> None:
        chance = random.Random(seed)
        async with connected(contexts) as (near, far):
            there, back = chance.randbytes(700_000), chance.randbytes(700_000)
            await asyncio.gather(carry(near[1], far[0], there, chance), carry(far[1], near[0], back, chance))

    await asyncio.gather(*(both_ways(seed) for seed in range(6)))


async def test_what_nobody_reads_waits_in_the_kernel(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with connected(contexts) as (near, far):
        far[1].write(bytes(4_000_000))
        transport: Any = near[1].transport
        lean: Any = transport._ssl_protocol
        assert LeanSSLProtocol in type(lean).__mro__

        async def has_stopped() -> bool:
            return lean._ssl_reading_paused

        await until_async(has_stopped)
        assert lean._incoming.pending <= 16 * 1024
        assert len(await near[0].readexactly(4_000_000)) == 4_000_000


async def test_the_end_is_seen_behind_the_last_byte(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with connected(contexts) as (near, far):
        far[1].write(bytes(300_000))
        far[1].close()
        assert len(await near[0].read(-1)) == 300_000
        assert near[0].at_eof()
