"""When a process ends: on a signal, or with whoever started it."""

import asyncio
import os
import signal
import sys


async def until_stopped(*, supervised: bool) -> None:
    """Return when SIGINT or SIGTERM asks for it, or (supervised) when the process that started us is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        # The supervisor holds the other end of our standard input, and the kernel closes it however it dies.
        loop.add_reader(sys.stdin.fileno(), lambda: os.read(sys.stdin.fileno(), 1) or stop.set())
    await stop.wait()
