"""One flight at a time for each question, and a failure that is answered again for a while instead of asked again.

So a client that retries in a loop does not hammer a mail server that is down, or that filters us (spec §6.9).
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from mooring.clock import Clock
from mooring.errors import MooringError

T = TypeVar("T")

FAILURE_S = 30.0
"""Seconds for which a failure stands (spec §6.9)."""
SUCCESS_S = 5.0
"""Seconds for which an answer stands: the synchronisation is about to store the same."""
REMEMBERED = 10_000
"""Questions whose last answer is remembered."""


class Flights(Generic[T]):
    """Shares one piece of work among all who ask for it at the same time, and its outcome for a short while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}
        self._outcomes: dict[Hashable, tuple[float, T | MooringError]] = {}

    async def ask(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The outcome of ``work`` for this key: one that is fresh, or one that is under way, or a new one.

        Raises:
            MooringError: that of the work; when it is answered again, it says how old it is.
        """
        if (known := self._outcomes.get(key)) is not None:
            at, outcome = known
            age = self._clock.monotonic() - at
            if isinstance(outcome, MooringError):
                if age < FAILURE_S:
                    raise aged(outcome, age)
            elif age < SUCCESS_S:
                return outcome
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._fly(key, work))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _fly(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        try:
            outcome: Any = await work()
        except MooringError as e:
            self._remember(key, e)
            raise
        self._remember(key, outcome)
        return outcome

    def _remember(self, key: Hashable, outcome: T | MooringError) -> None:
        self._outcomes.pop(key, None)
        self._outcomes[key] = (self._clock.monotonic(), outcome)
        while len(self._outcomes) > REMEMBERED:
            self._outcomes.pop(next(iter(self._outcomes)))


def aged(error: MooringError, age_s: float) -> MooringError:
    """The same failure, saying when it was found out."""
    again = type(error).__new__(type(error), *error.args)
    again.__dict__.update(error.__dict__)
    again.message = f"{error.message} (Found {age_s:.0f} s ago; the server is asked again after {FAILURE_S:.0f} s.)"
    again.args = (again.message,)
    return again
