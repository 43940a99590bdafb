"""Berths: how many connections one source may have open with one server, and whose turn it is. No socket, no clock.

A server that counts connections counts them by the address they come from, so berths are counted by source and
server. Who finds none free waits, first come first served; a berth that its holder could spare is called back.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from mooring.egress.types import Dial, Traffic
from mooring.errors import SourceBusy

PATIENCE_S = 5.0
"""Seconds that people wait for a berth; the server's own answer is to come within 30 all the same (spec §6.8)."""
IN_A_ROW = 4
"""Berths that go to people one after the other while synchronisation waits, too; the next one goes to that."""


class Berths:
    """The berths of this process.

    Args:
        limit: connections of one source with one server, as long as nothing else is told of the source.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limits: dict[str, int] = {}
        self._quays: dict[tuple[str, str], _Quay] = {}

    async def for_dial(self, dial: Dial, source: str, *, within_s: float) -> "Berth":
        """A berth for this dial from this source, to be given back: synchronisation waits for as long as it takes.

        Raises:
            SourceBusy: somebody waits for the answer, and none was free within so many seconds, or ``PATIENCE_S``.
        """
        if dial.traffic is Traffic.WEBHOOK:
            return Berth()
        patience_s = None if dial.traffic is Traffic.SYNC else max(0.0, min(PATIENCE_S, within_s))
        return await self.take(source, dial.host.rstrip(".").lower(), patience_s=patience_s)

    async def take(self, source: str, server: str, *, patience_s: float | None) -> "Berth":
        """A berth of this source at this server, for the caller to give back.

        Args:
            patience_s: seconds that somebody waits, who is served before those that have all the time (None).
        Raises:
            SourceBusy: none was free in time.
        """
        key = (source, server)
        quay = self._quays.get(key)
        if quay is None:
            quay = self._quays[key] = _Quay(self._limit_of(source), lambda: self._forget(key))
        try:
            async with asyncio.timeout(patience_s):
                await quay.enter(hurries=patience_s is not None)
        except TimeoutError as e:
            raise SourceBusy(
                f"As many connections as may be are open from {source} to {server}.",
                reason="busy",
                hint="Try again in a minute. If it lasts, the operator adds a source, or raises "
                "policy.connections_per_source_and_server if the server allows more.",
            ) from e
        return Berth(quay)

    def set_limits(self, limits: Mapping[str, int]) -> None:
        """From now on these sources, by name, may have so many connections with each server.

        Where more are open, those that can be spared are called back, and nobody else gets in meanwhile.
        """
        self._limits.update(limits)
        for (source, _), quay in list(self._quays.items()):
            quay.set_limit(self._limit_of(source))

    def counts(self) -> dict[str, tuple[int, int]]:
        """By source: berths that are taken, and how many more are waited for."""
        found: dict[str, tuple[int, int]] = {}
        for (source, _), quay in self._quays.items():
            taken, waiting = found.get(source, (0, 0))
            found[source] = (taken + quay.taken, waiting + quay.waiting)
        return found

    def _limit_of(self, source: str) -> int:
        return self._limits.get(source, self._limit)

    def _forget(self, key: tuple[str, str]) -> None:
        del self._quays[key]


class Berth:
    """The right to one connection, until it is given back; made without a quay it counts nowhere.

    Attributes:
        is_recalled: somebody waits for this one: its holder is to give it back as soon as it can.
    """

    __slots__ = ("_quay", "is_recalled")

    def __init__(self, quay: "_Quay | None" = None) -> None:
        self._quay = quay
        self.is_recalled = False

    def offer(self, recall: Callable[[], None]) -> None:
        """The holder can spare it, until it says ``keep``.

        Args:
            recall: called once when somebody waits for this one, at once if somebody does already.
        """
        if self._quay is not None and not self.is_recalled:
            self._quay.offer(self, recall)

    def keep(self) -> None:
        """The holder cannot spare it now. Once recalled it stays so."""
        if self._quay is not None:
            self._quay.keep(self)

    @contextmanager
    def given_back_on_failure(self) -> Generator[None]:
        """Whatever fails in the block, there will be no connection."""
        try:
            yield
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """The connection has ended. Safe to say twice."""
        quay, self._quay = self._quay, None
        if quay is not None:
            quay.leave(self)


class _Quay:
    """The berths of one source at one server.

    Args:
        emptied: called when nobody is here and nobody waits.
    """

    def __init__(self, limit: int, emptied: Callable[[], None]) -> None:
        self._limit = limit
        self._emptied = emptied
        self._hurried: dict[asyncio.Future[None], None] = {}
        self._patient: dict[asyncio.Future[None], None] = {}
        self._spare: dict[Berth, Callable[[], None]] = {}
        self._recalled = 0
        self._in_a_row = 0
        self.taken = 0

    @property
    def waiting(self) -> int:
        return len(self._hurried) + len(self._patient)

    async def enter(self, *, hurries: bool) -> None:
        """Return with a berth taken; whoever is cancelled has none."""
        queue = self._hurried if hurries else self._patient
        place = asyncio.get_running_loop().create_future()
        queue[place] = None
        self._look()
        try:
            await place
        except BaseException:
            if place.cancelled():
                queue.pop(place, None)
            else:
                self.taken -= 1
            self._look()
            raise

    def set_limit(self, limit: int) -> None:
        self._limit = limit
        self._look()

    def offer(self, berth: Berth, recall: Callable[[], None]) -> None:
        self._spare[berth] = recall
        self._look()

    def keep(self, berth: Berth) -> None:
        self._spare.pop(berth, None)

    def leave(self, berth: Berth) -> None:
        self._spare.pop(berth, None)
        self._recalled -= int(berth.is_recalled)
        self.taken -= 1
        self._look()

    def _look(self) -> None:
        """Let in whoever has a berth now, and call back as many as are missing."""
        while self.waiting and self.taken < self._limit:
            place = self._next()
            # Who was cancelled a moment ago is still in the queue, and is passed over.
            if not place.done():
                place.set_result(None)
                self.taken += 1
        missing = self.waiting + max(0, self.taken - self._limit) - self._recalled
        while missing > 0 and self._spare:
            berth = next(iter(self._spare))
            recall = self._spare.pop(berth)
            berth.is_recalled = True
            self._recalled += 1
            missing -= 1
            recall()
        if not self.taken and not self.waiting:
            self._emptied()

    def _next(self) -> asyncio.Future[None]:
        """Whose turn it is: people go first, unless synchronisation has seen too many of them pass."""
        is_patients = not self._hurried or (self._patient and self._in_a_row >= IN_A_ROW)
        self._in_a_row = 0 if is_patients or not self._patient else self._in_a_row + 1
        queue = self._patient if is_patients else self._hurried
        place = next(iter(queue))
        del queue[place]
        return place
