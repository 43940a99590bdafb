"""Servers that come and go: up and down by turns, each by its own chance."""

import random
import threading
import time
from collections.abc import Mapping
from typing import Self

from tests.lab.situations import firewall


class Flapping:
    """Takes servers down and up again as long as the block lasts; while one is down, its SYNs are dropped.

    Args:
        periods: the mean seconds of its turns, exponentially distributed, by a server's address.
        seed: of the chance.
    """

    def __init__(self, periods: Mapping[str, float], *, seed: int = 1) -> None:
        self._periods = periods
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flapping", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        down = {address for address in self._periods if self._chance.random() < 0.5}
        turns = {address: self._next_turn(address) for address in self._periods}
        firewall.write_down(down)
        while not self._ended.wait(max(0.0, min(turns.values()) - time.monotonic())):
            due = {address for address, at in turns.items() if at <= time.monotonic()}
            down ^= due
            turns |= {address: self._next_turn(address) for address in due}
            firewall.write_down(down)

    def _next_turn(self, address: str) -> float:
        return time.monotonic() + self._chance.expovariate(1 / self._periods[address])
