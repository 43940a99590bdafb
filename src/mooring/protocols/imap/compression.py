"""A stream that travels deflated (RFC 4978), once the server has agreed to COMPRESS."""

import zlib

from mooring.errors import Conflict, RemoteProtocolError
from mooring.net import Layer, Stream

_WINDOW_BITS = -15
"""The largest window, without a header: the server may use all of it (RFC 4978 §4)."""

_OUR_WINDOW_BITS = -12
_OUR_MEMORY_LEVEL = 5
"""Our side needs 32 KiB instead of 256 with these: commands are short."""

_CHUNK = 64 * 1024
"""Bytes that one ``receive`` gives at most, so that a small packet that unfolds to gigabytes comes in pieces."""


class DeflateStream(Layer):
    """A Stream over another one, compressed both ways."""

    __slots__ = ("_deflate", "_inflate", "_is_full", "_unread")

    def __init__(self, stream: Stream, unread: bytes = b"") -> None:
        """
        Args:
            unread: compressed bytes that were already received.
        """
        super().__init__(stream)
        self._unread = unread
        self._is_full = False
        self._inflate = zlib.decompressobj(_WINDOW_BITS)
        self._deflate = zlib.compressobj(wbits=_OUR_WINDOW_BITS, memLevel=_OUR_MEMORY_LEVEL)

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        while not self._inflate.eof:
            packed = self._unread
            if not packed and not self._is_full:
                packed = await self._stream.receive(timeout_s=timeout_s)
                if not packed:
                    return b""
            data = self._unfold(packed)
            if data:
                return data
        return b""

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None:
        packed = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self._stream.send(packed, timeout_s=timeout_s)

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        """Never: TLS comes before compression.

        Raises:
            Conflict.
        """
        raise Conflict("TLS cannot begin inside a compressed stream")

    def _unfold(self, packed: bytes) -> bytes:
        try:
            data = self._inflate.decompress(packed, _CHUNK)
        except zlib.error as e:
            raise RemoteProtocolError("the server's compressed data cannot be read") from e
        self._unread = self._inflate.unconsumed_tail
        self._is_full = len(data) == _CHUNK
        return data
