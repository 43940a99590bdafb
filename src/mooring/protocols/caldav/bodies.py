"""Bodies of answers, whatever a server packs into them: unpacked piece by piece, and pages as a person sees them."""

import asyncio
import html
import re
import zlib
from collections.abc import AsyncGenerator

import httpx

from mooring.errors import RemoteProtocolError

ACCEPTED = "gzip"
"""What we ask to be packed with. Left alone, httpx unpacks a chunk at once: 16 KiB of Zstandard made 1 GiB of it."""

_PIECE = 64 * 1024
"""Bytes that are unpacked at a time; a fraction of a millisecond."""
_GZIP = 16 + zlib.MAX_WBITS
_HIDDEN = re.compile(rb"<(script|style)\b")


async def unpacked(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body in pieces of at most 64 KiB, or as they come where nothing was packed.

    Raises:
        RemoteProtocolError: it is packed as nobody asked for, or is broken.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        async for raw in response.aiter_raw():
            yield raw
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise RemoteProtocolError(f"{response.url.host} packs its answer in a way that nobody asked for")
    decoder = zlib.decompressobj(_GZIP)
    async for raw in response.aiter_raw():
        packed = raw
        while packed and not decoder.eof:
            try:
                yield decoder.decompress(packed, _PIECE)
            except zlib.error as e:
                raise RemoteProtocolError(f"{response.url.host} answers with broken gzip") from e
            packed = decoder.unconsumed_tail
            await asyncio.sleep(0)


def visible(page: bytes) -> str:
    """The text of a page, entities read, without tags, comments, scripts and styles; takes time by its length alone."""
    shown: list[bytes] = []
    lower, at = page.lower(), 0
    while (start := lower.find(b"<", at)) >= 0:
        shown.append(page[at:start])
        # What is never closed goes to the end.
        at = _end_of_tag(lower, start) or len(page)
    return html.unescape(b" ".join([*shown, page[at:]]).decode("utf-8", "replace"))


def _end_of_tag(lower: bytes, start: int) -> int:
    """Where what begins there has ended; 0: nowhere."""
    if lower.startswith(b"<!--", start):
        comment = lower.find(b"-->", start + 4)
        return comment + 3 if comment >= 0 else 0
    if hidden := _HIDDEN.match(lower, start):
        start = lower.find(b"</" + hidden[1], start)
        if start < 0:
            return 0
    return lower.find(b">", start) + 1
