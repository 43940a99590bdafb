"""How often somebody may be wrong about a password. Counted in memory, by each process for itself."""

from collections.abc import Generator, Hashable
from contextlib import contextmanager

from mooring.buckets import Buckets, Rate, network_of
from mooring.clock import Clock
from mooring.operators.errors import TooManyAttempts, WrongPassword

FROM_ADDRESS_FOR_NAME = Rate(5, 300, burst=5)
"""Somebody who mistypes."""
FROM_ADDRESS = Rate(20, 300, burst=20)
"""Everybody behind one address."""
FOR_NAME = Rate(100, 3600, burst=100)
"""From everywhere together: who guesses from many addresses is slowed down, and the name's owner still gets in."""


class Attempts:
    """Counts failures; one that succeeds costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets = tuple(Buckets(rate) for rate in (FROM_ADDRESS_FOR_NAME, FROM_ADDRESS, FOR_NAME))

    @contextmanager
    def attempt(self, address: str, name: str) -> Generator[None]:
        """Try within the block; it costs if it ends in WrongPassword, or never ends.

        Raises:
            TooManyAttempts: nothing was looked up.
        """
        keys: tuple[Hashable, ...] = ((network_of(address), name), network_of(address), name)
        now = self._clock.monotonic()
        # Looked at first, so that an attempt which is not heard costs nothing.
        if wait_s := max(b.wait_s(key, now) for b, key in zip(self._buckets, keys, strict=True)):
            raise TooManyAttempts("Too many attempts to sign in have failed.", wait_s=wait_s)
        for bucket, key in zip(self._buckets, keys, strict=True):
            bucket.charge(key, now)
        try:
            yield
        except WrongPassword:
            raise
        except Exception:
            self._give_back(keys)
            raise
        else:
            self._give_back(keys)

    def _give_back(self, keys: tuple[Hashable, ...]) -> None:
        for bucket, key in zip(self._buckets, keys, strict=True):
            bucket.give_back(key)
