"""The stream that the dialer hands up: it knows its route and its berth, and tells the ledger how it went on."""

import asyncio
import time
from dataclasses import replace

from mooring.clock import Clock
from mooring.egress.berths import Berth
from mooring.egress.ledger import Ledger
from mooring.egress.types import Dial, Outcome, Route, Settlement
from mooring.errors import NetworkError
from mooring.net import TcpStream


class DialledStream(TcpStream):
    """A TcpStream with its route.

    Attributes:
        dial: what was asked for.
        route: by which source it left, and why.
        berth: what it gives back when the connection has ended.
    """

    __slots__ = ("_clock", "_closed", "_ending", "_is_broken", "_ledger", "_settlement", "berth", "dial", "route")

    dial: Dial
    route: Route
    berth: Berth

    def attach(
        self, dial: Dial, route: Route, berth: Berth, ledger: Ledger, settlement: Settlement, clock: Clock
    ) -> None:
        """Give the stream its place in the ledger; the dialer does, once."""
        self.dial = dial
        self.route = route
        self.berth = berth
        self._ledger = ledger
        self._settlement = settlement
        self._clock = clock
        self._closed = self._is_broken = False

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        started = time.monotonic()
        try:
            await super().start_tls(timeout_s=timeout_s)
        except BaseException as e:
            self._is_broken = True
            if isinstance(e, NetworkError):
                tls_ms = (time.monotonic() - started) * 1000
                self._ledger.settle_soon(replace(failed(self._settlement, e), tls_ms=tls_ms))
                e.route = self.route
            raise
        self._ledger.settle_soon(replace(self._settlement, tls_ms=(time.monotonic() - started) * 1000))

    async def aclose(self) -> None:
        if self._closed:
            # A second close would abort what the first one ends in order: it would be over here before it is there.
            return
        self._closed = True
        self._ledger.settle_soon(replace(self._settlement, closed_at=self._clock.now()))
        if self._is_broken:
            # There is no TLS to end in order, and nobody is told when such a connection has ended.
            self.abort()
            self.berth.give_back()
            return
        await super().aclose()
        # The berth is given back then and not now: the server counts a connection until it has ended there as well.
        self._ending = asyncio.ensure_future(self.wait_closed())
        self._ending.add_done_callback(lambda _: self.berth.give_back())


def failed(settlement: Settlement, error: NetworkError) -> Settlement:
    """The settlement of a dial that the network or the server ended."""
    return replace(
        settlement,
        outcome=Outcome.FAILED,
        phase=str(error.phase),
        cause=error.reason,
        detail=(error.detail or error.message)[:500],
    )
