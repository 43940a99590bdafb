"""Work on large bytes: beside the event loop, and a window at a time, so that everybody else gets a turn.

A thread alone is not enough. One call into C code (base64, a search, JSON) keeps the interpreter's lock from its
beginning to its end, in whichever thread it runs: 25 MB of base64 stop everybody for 40 ms. In windows it is a
fraction of a millisecond each. What gives the lock back by itself, whole: SHA-256, zstandard, the MIME parser, and
``b"".join`` from a megabyte on.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LARGE = 64 * 1024
"""Bytes from which a thread is worth its price, which is about 0.1 ms."""

WINDOW = 256 * 1024
"""Bytes for one call that keeps the lock: under half a millisecond of base64. Divides by 4, and is even."""

THREADS = 2
"""The loop waits for its turn behind each thread that computes, so there are few; the others wait in line."""

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="large")


async def beside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``work`` returns; it runs in a thread if it is about more than ``LARGE`` bytes, else here and now.

    Args:
        size: bytes that the work is about.
    """
    if size <= LARGE:
        return work(*args, **kwargs)
    run = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: run(work, *args, **kwargs))


def windows(size: int, step: int = WINDOW) -> Iterator[tuple[int, int]]:
    """Begin and end of each window of ``size`` bytes."""
    return ((start, min(start + step, size)) for start in range(0, size, step))


def count(data: bytes, word: bytes) -> int:
    """As ``data.count(word)``, for a word that cannot overlap itself."""
    return sum(data.count(word, start, end + len(word) - 1) for start, end in windows(len(data)))


def copy(data: bytes | memoryview) -> bytes:
    """The same bytes, in memory of their own."""
    return b"".join([bytes(data[start:end]) for start, end in windows(len(data))])
