"""Token buckets: so many a while in the long run, and so many at once. Pure; the time is passed in."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MOST = 20_000
"""Buckets of one kind, some 5 MB. Beyond that the one that was used longest ago is forgotten, which makes it full."""

_V6_NETWORK = 64
"""Bits of an IPv6 address that count: whoever has one has all that begin with them."""

_ROUNDING_S = 1e-6
"""Sums of fractions of a second are not exact."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done.

    Attributes:
        count, seconds: so many in so many seconds, for as long as one likes.
        burst: so many at once, after a rest.
    """

    count: int
    seconds: float
    burst: int

    @property
    def interval_s(self) -> float:
        """Seconds in which a bucket gains one token."""
        return self.seconds / self.count


class Buckets:
    """The buckets of one kind, one for each key, with the same rate.

    A bucket is kept as the time when it will be full, by the caller's clock; one that is not kept is full.
    """

    __slots__ = ("_full_at", "_most", "rate")

    def __init__(self, rate: Rate, *, most: int = MOST) -> None:
        self.rate = rate
        self._most = most
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait_s(self, key: Hashable, now: float) -> float:
        """Seconds until a token is there; 0 if one is."""
        missing_s = max(0.0, self._full_at.get(key, now) - now)
        wait_s = missing_s - (self.rate.burst - 1) * self.rate.interval_s
        return wait_s if wait_s > _ROUNDING_S else 0.0

    def take(self, key: Hashable, now: float) -> float:
        """Take a token; the seconds until one is there, and nothing taken, if none is."""
        wait_s = self.wait_s(key, now)
        if wait_s:
            self._full_at.move_to_end(key)
        else:
            self.charge(key, now)
        return wait_s

    def charge(self, key: Hashable, now: float, *, most_s: float = float("inf")) -> None:
        """Take a token, even one that is not there yet.

        Args:
            most_s: seconds at most until the bucket has a token again.
        """
        most_full_at = now + most_s + (self.rate.burst - 1) * self.rate.interval_s
        self._full_at[key] = min(max(self._full_at.get(key, now), now) + self.rate.interval_s, most_full_at)
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)

    def give_back(self, key: Hashable) -> None:
        """Put back a token that was taken."""
        if key in self._full_at:
            self._full_at[key] -= self.rate.interval_s


def network_of(address: str) -> str:
    """What stands for a caller's address where callers are counted."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(int(parsed) >> (128 - _V6_NETWORK))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
