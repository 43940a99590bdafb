"""How often somebody may be wrong about a password. Counted in memory, by each process for itself."""

from collections import OrderedDict
from collections.abc import Generator, Hashable, Sequence
from contextlib import contextmanager

from mooring.buckets import Buckets, Rate, network_of
from mooring.clock import Clock
from mooring.operators.errors import TooManyAttempts, WrongPassword

FROM_ADDRESS_FOR_NAME = Rate(5, 300, burst=5)
"""Somebody who mistypes."""
FROM_ADDRESS = Rate(20, 300, burst=20)
"""Everybody behind one address."""
FOR_NAME = Rate(100, 3600, burst=100)
"""From everywhere together: who guesses from many addresses is slowed down. Its owner still gets in from where that
has worked before."""
REMEMBERED = 10_000
"""Names, each with a network from which it signed in."""


class Attempts:
    """Counts failures; one that succeeds costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets = tuple(Buckets(rate) for rate in (FROM_ADDRESS_FOR_NAME, FROM_ADDRESS, FOR_NAME))
        self._known: OrderedDict[tuple[Hashable, str], None] = OrderedDict()

    @contextmanager
    def attempt(self, address: str, name: str) -> Generator[None]:
        """Try within the block; it costs if it ends in WrongPassword, or never ends.

        Raises:
            TooManyAttempts: nothing was looked up.
        """
        owner = network_of(address), name
        keys: tuple[Hashable, ...] = (owner, network_of(address), name)
        counted = list(zip(self._buckets, keys, strict=True))[: 2 if owner in self._known else 3]
        now = self._clock.monotonic()
        # Looked at first, so that an attempt which is not heard costs nothing.
        if wait_s := max(bucket.wait_s(key, now) for bucket, key in counted):
            raise TooManyAttempts("Too many attempts to sign in have failed.", wait_s=wait_s)
        for bucket, key in counted:
            bucket.charge(key, now)
        try:
            yield
        except WrongPassword:
            raise
        except Exception:
            _give_back(counted)
            raise
        else:
            _give_back(counted)
            self._remember(owner)

    def _remember(self, owner: tuple[Hashable, str]) -> None:
        self._known[owner] = None
        self._known.move_to_end(owner)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _give_back(counted: Sequence[tuple[Buckets, Hashable]]) -> None:
    for bucket, key in counted:
        bucket.give_back(key)
