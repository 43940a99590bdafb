"""When a fact is tried again, when it is given up, and when an endpoint is: rules without a clock or a socket."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mooring.webhooks.types import WebhookStatus

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 3600.0
"""Seconds before a fact is tried again: doubled from the first to the last, with jitter."""
JITTER = 0.2
MAX_ANSWERED = 12
"""Tries of a fact that an endpoint answers and does not take: some 35 minutes. Then it is a dead letter, so that
one poisonous fact does not hold up its grant for good. An endpoint that does not answer at all costs no fact."""
MOST_AT_ONCE = 10
"""Deliveries to one endpoint at the same time."""
LOST_IN_A_ROW = 5
"""Tries without an answer, one after the other, after which an endpoint is asked by one lane only."""
WINDOW = timedelta(minutes=15)
FAILING_SHARE = 0.95
"""An endpoint is failing when so many of its answers were no success, for so long (contract 5.5)."""
FAILED_AFTER = timedelta(hours=72)
"""How long it may be failing before it is given up (contract 5.5)."""
STILL = timedelta(seconds=2 * LAST_RETRY_S)
"""How long after a failure an endpoint counts as being tried still: whatever waits for it is tried more often."""

_RETRY_ANYHOW = frozenset({429, 502, 503, 504})
"""Answers of what stands before the endpoint, or of one that is too busy: they say nothing of the fact."""


class Verdict(StrEnum):
    """What a try means for the fact."""

    TAKEN = "taken"
    #: the endpoint read it and said no, or broke on it
    ANSWERED = "answered"
    #: the endpoint could not be reached, or somebody in front of it says so
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Result:
    """How one try ended.

    Attributes:
        status: of the answer; None when there was none.
        reason: one line for people; "" for success.
        retry_after_s: what the endpoint asked for.
    """

    status: int | None
    reason: str = ""
    retry_after_s: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What it means for the fact."""
        if self.status is None or self.status in _RETRY_ANYHOW:
            return Verdict.LOST
        return Verdict.TAKEN if 200 <= self.status < 300 else Verdict.ANSWERED


def pause_s(failures: int, jitter: float, retry_after_s: float | None = None) -> float:
    """Seconds to wait after so many failures in a row, the first included.

    Args:
        jitter: in [-1, 1).
        retry_after_s: what the endpoint asked for; more than the longest pause is not believed.
    """
    doubled = min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 30), LAST_RETRY_S)
    asked = min(retry_after_s or 0.0, LAST_RETRY_S)
    return max(doubled * (1 + JITTER * jitter), asked)


def at_once(now: int, verdict: Verdict) -> int:
    """How many deliveries an endpoint gets at the same time, after one that ended like this.

    As TCP does it (RFC 5681 §3.1): one more after each that was taken, half as many after each that was not. So an
    endpoint in trouble is spared, and takes little of what the others need.

    Args:
        now: how many it gets so far.
    """
    return min(now + 1, MOST_AT_ONCE) if verdict is Verdict.TAKEN else max(now // 2, 1)


def is_given_up(answered: int) -> bool:
    """Whether a fact that was read and refused so often becomes a dead letter."""
    return answered >= MAX_ANSWERED


@dataclass(slots=True)
class Health:
    """How an endpoint has been doing, a minute at a time, and since when it has been bad."""

    bad_since: datetime | None = None
    failed_at: datetime | None = None
    _minutes: deque[tuple[datetime, int, int]] = field(default_factory=deque[tuple[datetime, int, int]])

    def record(self, now: datetime, *, taken: int, failed: int) -> None:
        """Count tries that ended now."""
        if failed:
            self.failed_at = now
        minute = now.replace(second=0, microsecond=0)
        if self._minutes and self._minutes[-1][0] == minute:
            _, good, bad = self._minutes.pop()
            taken, failed = taken + good, failed + bad
        self._minutes.append((minute, taken, failed))
        while self._minutes[0][0] < minute - WINDOW:
            self._minutes.popleft()
        good = sum(minute_taken for _, minute_taken, _ in self._minutes)
        bad = sum(minute_failed for _, _, minute_failed in self._minutes)
        if bad < FAILING_SHARE * (good + bad):
            self.bad_since = None
        elif self.bad_since is None:
            self.bad_since = now

    def status(self, current: WebhookStatus, since: datetime, now: datetime) -> WebhookStatus:
        """The status that follows. An endpoint for which there was nothing to do is not given up for that.

        Args:
            since: when the current one began.
        """
        match current:
            case WebhookStatus.ACTIVE if self.bad_since is not None and now - self.bad_since >= WINDOW:
                return WebhookStatus.FAILING
            case WebhookStatus.FAILING if self.bad_since is None:
                return WebhookStatus.ACTIVE
            case WebhookStatus.FAILING if now - since >= FAILED_AFTER and self._is_tried_still(now):
                return WebhookStatus.FAILED
            case _:
                return current

    def _is_tried_still(self, now: datetime) -> bool:
        return self.failed_at is not None and now - self.failed_at <= STILL
