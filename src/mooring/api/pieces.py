"""Large answers, piece by piece: each is made when the one before is on its way, and nothing is copied whole."""

import asyncio
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

from litestar.response.base import ASGIResponse

from mooring.large import windows

_TRIPLES = 192 * 1024
"""Bytes that are encoded at once; base64 makes 4 letters of 3 bytes, so this divides by 3."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Base64Url:
    """Bytes that stand in an answer as base64url, with padding (RFC 4648 §5)."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return (len(self._content) + 2) // 3 * 4

    def __iter__(self) -> Iterator[bytes]:
        for start, end in windows(len(self._content), _TRIPLES):
            yield binascii.b2a_base64(self._content[start:end], newline=False).translate(_URL_SAFE)


class Whole:
    """Bytes that are sent as they are."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        return (self._content[start:end] for start, end in windows(len(self._content)))


class Pieces(ASGIResponse):
    """An answer of these parts, one after the other."""

    def __init__(self, parts: Iterable[Base64Url | Whole], **response: Any) -> None:
        self._parts = tuple(parts)
        super().__init__(content_length=sum(map(len, self._parts)), **response)

    async def send_body(self, send: Any, receive: Any) -> None:
        """Send each piece once there is room for it, and let everybody else have a turn in between."""
        for part in self._parts:
            for piece in part:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
