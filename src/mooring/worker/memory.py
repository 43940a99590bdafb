"""Memory that synchronising has used and no longer needs, given back to the system."""

import asyncio
import ctypes

TRIM_S = 30.0
"""Seconds between two times. Once takes about as many milliseconds as there are tens of megabytes."""


async def give_back() -> None:
    """Give back what is free, again and again until cancelled.

    The C library keeps freed memory unless it lies at the end of the heap, and what comes and goes with a mailbox's
    first synchronisation leaves holes: a tenth of a worker with a thousand idle mailboxes (measured). Where the C
    library is not glibc it has no such call, and this only waits.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while True:
        await asyncio.sleep(TRIM_S)
        if trim is not None:
            await asyncio.to_thread(trim, 0)
