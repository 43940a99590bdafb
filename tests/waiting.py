"""Waiting for facts, never for time: a condition is looked at until it holds, or until it should have."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.02
"""Seconds between two looks."""

_nobody = threading.Event()


def until(condition: Callable[[], T | None], *, timeout_s: float = 10.0, what: str = "the condition holds") -> T:
    """The first true value of ``condition``; an AssertionError when none came in time."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        _nobody.wait(LOOK_S)
    return value


async def until_async(
    condition: Callable[[], Awaitable[T]], *, timeout_s: float = 10.0, what: str = "the condition holds"
) -> T:
    """As ``until``, on the event loop."""
    async with asyncio.timeout(timeout_s):
        while not (value := await condition()):
            await asyncio.wait({asyncio.ensure_future(_nothing())}, timeout=LOOK_S)
        return value


async def _nothing() -> None:
    await asyncio.get_running_loop().run_in_executor(None, _nobody.wait, LOOK_S)
