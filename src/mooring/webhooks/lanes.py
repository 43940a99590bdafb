"""Which lanes of one endpoint are to be served next: a queue of those that are ready, a heap of those that rest."""

import heapq
from collections import deque


class Lanes:
    """The lanes of one endpoint that have something to do. Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._waiting: set[str] = set()
        self._resting: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        self._woken: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._due) + len(self._busy)

    def wake(self, lane: str) -> None:
        """There may be something new in this lane; one that rests goes on resting."""
        if lane in self._busy:
            self._woken.add(lane)
        elif lane not in self._waiting and lane not in self._due:
            self._waiting.add(lane)
            self._ready.append(lane)

    def take(self, now: float) -> str | None:
        """The next lane to serve, busy from now on; None when none is ready."""
        while self._resting and self._resting[0][0] <= now:
            due, lane = heapq.heappop(self._resting)
            if self._due.get(lane) == due:
                del self._due[lane]
                self._waiting.add(lane)
                self._ready.append(lane)
        while self._ready:
            lane = self._ready.popleft()
            if lane in self._waiting:
                self._waiting.discard(lane)
                self._busy.add(lane)
                return lane
        return None

    def done(self, lane: str, *, more: bool) -> None:
        """The lane has been served; ``more``: and has something left, behind the others' turns."""
        self._busy.discard(lane)
        if more or lane in self._woken:
            self._woken.discard(lane)
            self.wake(lane)

    def rest(self, lane: str, until: float) -> None:
        """The lane is not to be served before this."""
        self._busy.discard(lane)
        self._woken.discard(lane)
        self._waiting.discard(lane)
        self._due[lane] = until
        heapq.heappush(self._resting, (until, lane))

    def postpone(self, lane: str, until: float) -> None:
        """As ``rest``, for whoever does not serve the lane: one that is being served is left alone."""
        if lane not in self._busy:
            self.rest(lane, until)

    def next_due(self) -> float | None:
        """When the first resting lane is due."""
        while self._resting and self._due.get(self._resting[0][1]) != self._resting[0][0]:
            heapq.heappop(self._resting)
        return self._resting[0][0] if self._resting else None
