"""Now, as a parameter: the rooms take a Clock, so that tests can move time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a room reads the time."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for measuring durations."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
