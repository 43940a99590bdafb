"""How long the event loop was kept from everybody else, in processor time: another process's load does not count."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

LARGE = os.urandom(24 * 1024 * 1024)
"""The largest attachment, give or take."""


@dataclass
class Turns:
    """What the loop's own thread did, at the most, before it came round again."""

    longest_s: float = 0.0


@asynccontextmanager
async def watched() -> AsyncGenerator[Turns]:
    """Watch the loop while the block lasts; nothing of the block's own may be heavy."""
    turns = Turns()
    watching = asyncio.create_task(_watch(turns))
    await asyncio.sleep(0)
    try:
        yield turns
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def yardstick_s() -> float:
    """Seconds of one pass over as many bytes, of the kind that must not happen on the loop."""
    encoded = base64.b64encode(LARGE)
    before = time.thread_time()
    base64.b64decode(encoded, validate=True)
    return time.thread_time() - before


async def _watch(turns: Turns) -> None:
    before = time.thread_time()
    while True:
        await asyncio.sleep(0.001)
        now = time.thread_time()
        turns.longest_s = max(turns.longest_s, now - before)
        before = now
