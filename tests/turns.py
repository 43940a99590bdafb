"""How long the event loop was kept from everybody else, in processor time: another process's load does not count."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LARGE = os.urandom(24 * 1024 * 1024)
"""The largest attachment, give or take."""


@dataclass
class Turns:
    """What the loop's own thread did, at the most, before it came round again."""

    longest_s: float = 0.0
    began_s: float = field(default_factory=time.thread_time)

    def end(self) -> None:
        """The loop came round; the next turn begins."""
        now = time.thread_time()
        self.longest_s, self.began_s = max(self.longest_s, now - self.began_s), now


@asynccontextmanager
async def watched() -> AsyncGenerator[Turns]:
    """Watch the loop while the block lasts; nothing of the block's own may be heavy."""
    turns = Turns()
    watching = asyncio.create_task(_watch(turns))
    await asyncio.sleep(0)
    try:
        yield turns
    finally:
        turns.end()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def yardstick_s() -> float:
    """Seconds of one pass over as many bytes, of the kind that must not happen on the loop."""
    encoded = base64.b64encode(LARGE)
    before = time.thread_time()
    base64.b64decode(encoded, validate=True)
    return time.thread_time() - before


async def _watch(turns: Turns) -> None:
    while True:
        await asyncio.sleep(0.001)
        turns.end()
