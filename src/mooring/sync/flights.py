"""One flight at a time for each question, and a failure that is answered again for a while instead of asked again.

So a client that retries in a loop does not hammer a mail server that is down, or that filters us (spec §6.9).
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import Generic, TypeVar

from mooring.clock import Clock
from mooring.errors import MooringError
from mooring.grants import Grant

T = TypeVar("T")

FAILURE_S = 30.0
"""Seconds for which a failure stands (spec §6.9)."""
SUCCESS_S = 5.0
"""Seconds for which an answer stands: the synchronisation is about to store the same."""
REMEMBERED = 10_000
"""Failures that are remembered; answers, which may be large, are kept no longer than they stand."""


def question(grant: Grant) -> tuple[str, datetime]:
    """What an outcome is about: with other credentials, servers or placement it is another question."""
    return grant.id, grant.updated_at


class Flights(Generic[T]):
    """Shares one piece of work among all who ask for it at the same time, and its outcome for a short while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}
        self._answers: dict[Hashable, tuple[float, T]] = {}
        self._failures: dict[Hashable, tuple[float, MooringError]] = {}

    async def ask(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The outcome of ``work`` for this key: one that is fresh, or one that is under way, or a new one.

        Raises:
            MooringError: that of the work; when it is answered again, it says how old it is.
        """
        self._forget()
        if (failed := self._failures.get(key)) is not None:
            raise aged(failed[1], self._clock.monotonic() - failed[0])
        if (answered := self._answers.get(key)) is not None:
            return answered[1]
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._fly(key, work))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _fly(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await work()
        except MooringError as e:
            # A copy: the error itself holds on to all that its traceback went through.
            self._failures[key] = (self._clock.monotonic(), _copy(e))
            raise
        self._answers[key] = (self._clock.monotonic(), answer)
        # Nobody may ever ask again, and an answer can hold a page of whole messages.
        asyncio.get_running_loop().call_later(SUCCESS_S, self._forget)
        return answer

    def _forget(self) -> None:
        """Let go of what stands no longer; the oldest are in front."""
        now = self._clock.monotonic()
        while self._answers and now - self._answers[oldest := next(iter(self._answers))][0] >= SUCCESS_S:
            del self._answers[oldest]
        while self._failures and (
            now - self._failures[oldest := next(iter(self._failures))][0] >= FAILURE_S
            or len(self._failures) > REMEMBERED
        ):
            del self._failures[oldest]


def aged(error: MooringError, age_s: float) -> MooringError:
    """The same failure, saying when it was found out."""
    again = _copy(error)
    said = error.message.rstrip(".")
    again.message = f"{said}. Found {age_s:.0f} s ago; the server is asked again after {FAILURE_S:.0f} s."
    again.args = (again.message,)
    return again


def _copy(error: MooringError) -> MooringError:
    """The same failure, without its traceback and its cause."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy
