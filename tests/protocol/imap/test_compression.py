"""COMPRESS=DEFLATE: where the plain stream ends, and what a hostile server can pack."""

import zlib

import pytest

from mooring.errors import Conflict, RemoteProtocolError
from mooring.protocols.imap.compression import DeflateStream
from tests.protocol.imap.opened import selected
from tests.protocol.scripted import END, ScriptedStream, said, scripted


def packed(*parts: bytes) -> list[bytes]:
    deflate = zlib.compressobj(wbits=-15)
    return [deflate.compress(part) + deflate.flush(zlib.Z_SYNC_FLUSH) for part in parts]


class Folding(ScriptedStream):
    """The far end of a compressed stream: what the client sends is unfolded before it is compared."""

    def __init__(self, stream: ScriptedStream) -> None:
        super().__init__(stream.script, stream.chunk)
        self.inflate = zlib.decompressobj(-15)

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        await super().send(self.inflate.decompress(data), timeout_s=timeout_s)


async def test_both_directions_and_bytes_that_came_with_the_ok() -> None:
    first, second = packed(b"* 4 EXISTS\r\n", b"M4 OK done\r\n")
    client, stream = await selected("C: M3 COMPRESS DEFLATE", said(b"M3 OK go\r\n" + first))
    await client.compress()
    stream.assert_done()
    assert isinstance(client._stream, DeflateStream)
    client._stream._stream = Folding(scripted("C: M4 NOOP", said(second)))
    await client.noop()
    assert client.mailbox is not None
    assert client.mailbox.exists == 4


async def test_a_bomb_comes_in_pieces() -> None:
    (bomb,) = packed(b"x" * 50_000_000)
    stream = DeflateStream(scripted(said(bomb), END))
    total = 0
    while data := await stream.receive():
        assert len(data) <= 64 * 1024
        total += len(data)
    assert total == 50_000_000


async def test_every_size_around_a_chunk_comes_out_whole() -> None:
    for size in (1, 65535, 65536, 65537, 131072, 200_000):
        (data,) = packed(b"y" * size)
        stream = DeflateStream(scripted(said(data), END), unread=b"")
        received = b""
        while part := await stream.receive():
            received += part
        assert received == b"y" * size


async def test_what_can_be_unfolded_does_not_wait_for_more() -> None:
    (data,) = packed(b"y" * 70_000)
    for length in range(1, len(data)):
        stream = DeflateStream(scripted(said(data[:length]), END))
        received = b""
        while part := await stream.receive():
            received += part
        assert received == zlib.decompressobj(-15).decompress(data[:length])


async def test_garbage_is_a_protocol_error() -> None:
    stream = DeflateStream(scripted(END), unread=b"\xff\xff\xff\xff garbage")
    with pytest.raises(RemoteProtocolError):
        await stream.receive()


async def test_the_end_of_the_packing_is_the_end() -> None:
    deflate = zlib.compressobj(wbits=-15)
    stream = DeflateStream(scripted(said(b"beyond the end")), unread=deflate.compress(b"last") + deflate.flush())
    assert await stream.receive() == b"last"
    assert await stream.receive() == b""


async def test_no_tls_inside() -> None:
    with pytest.raises(Conflict):
        await DeflateStream(scripted()).start_tls()
