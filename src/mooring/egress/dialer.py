"""The dialer: the only code that connects.

It resolves, judges the addresses, picks the source, writes the intent, connects, and hands up an
open stream. Every way that this can end is in the ledger, and none of them ends with a connection
from an address that was not meant.
"""

import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from mooring.clock import Clock
from mooring.config import Carrier, IPAddress, IPNetwork, PoolConfig, SourceConfig
from mooring.egress import proxies, repository
from mooring.egress.ledger import Ledger
from mooring.egress.routes import choose, pool_of, reachable
from mooring.egress.stream import DialledStream
from mooring.egress.targets import judge
from mooring.egress.types import Dial, Intent, Outcome, Route, Settlement
from mooring.errors import (
    ConnectTimeout,
    EgressError,
    MooringError,
    NetworkError,
    SourceUnavailable,
    TargetNotAllowed,
)
from mooring.net import Endpoint
from mooring.net.connect import DialledSocket, connect, open_stream, resolve
from mooring.store import Database

RESOLVE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 8.0
"""Seconds for each address of a server: enough for several SYNs, which this kernel sends a second apart at
first, so that one lost packet is not a verdict; and few enough for an answer within 30 s (spec §6.8)."""
TOTAL_CONNECT_S = 16.0
"""Seconds for all addresses of a server together."""
TLS_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class DialerPolicy:
    """What the operator decided about dialling.

    Attributes:
        pools: the pools that this process may leave by.
        allow: private networks that may be dialled.
        forbidden: our own listeners and database, as (address, port).
        subset: how many sources of a static pool one application's grants use.
    """

    pools: tuple[PoolConfig, ...]
    allow: tuple[IPNetwork, ...] = ()
    forbidden: frozenset[tuple[str, int]] = frozenset()
    subset: int = 2


class Dialer:
    """Opens streams that provably leave by the source they were meant to leave by."""

    def __init__(self, db: Database, ledger: Ledger, clock: Clock, policy: DialerPolicy) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._assigned: dict[tuple[str, str, int], str] = {}

    async def dial(self, dial: Dial) -> DialledStream:
        """Open a stream to ``dial.host``, leaving by a source of ``dial.environment``.

        Returns: an open stream, TLS done if ``dial.tls``; the caller closes it.
        Raises:
            EgressError: our exit cannot be used; nothing was sent to the target.
            TargetNotAllowed: the name led to an address that is never dialled.
            NetworkError: the server, or the way to it, failed. Carries the ``Route`` as ``route``.
            LedgerUnavailable: the intent could not be written.
        Writes: one ledger entry for each address tried, opened or not; one if none could be.
        """
        started = time.monotonic()
        try:
            pool = pool_of(dial.environment, self._policy.pools)
            addresses = await resolve(dial.host, dial.port, timeout_s=RESOLVE_TIMEOUT_S)
            targets = reachable(self._allowed(dial, addresses), pool)
        except MooringError as e:
            await self._record_undialled(dial, e)
            raise
        resolve_ms = (time.monotonic() - started) * 1000
        return await self._try_each(dial, pool, targets, resolve_ms)

    async def explain(self, dial: Dial) -> list[Route]:
        """The routes that ``dial`` would try, in order, without dialling: the same choices, asked aloud.

        Raises:
            What ``dial`` would raise before it connects.
        """
        pool = pool_of(dial.environment, self._policy.pools)
        addresses = await resolve(dial.host, dial.port, timeout_s=RESOLVE_TIMEOUT_S)
        targets = reachable(self._allowed(dial, addresses), pool)
        return [await self._route(dial, pool, address) for address in targets]

    async def dial_from(self, dial: Dial, source: SourceConfig) -> DialledStream:
        """As ``dial``, from one named source of the environment's pool: for checks and probes."""
        pool = pool_of(dial.environment, self._policy.pools)
        only = replace(pool, sources=(source,))
        addresses = await resolve(dial.host, dial.port, timeout_s=RESOLVE_TIMEOUT_S)
        targets = reachable(self._allowed(dial, addresses), only)
        return await self._attempt(dial, Route(source, targets[0], f"{source.name} was asked for by name"), None)

    def _allowed(self, dial: Dial, addresses: list[IPAddress]) -> list[IPAddress]:
        """All of them, or none: a name that also leads to a forbidden address is not dialled at all."""
        for address in addresses:
            verdict = judge(address, dial.port, allow=self._policy.allow, forbidden=self._policy.forbidden)
            if not verdict.allowed:
                raise TargetNotAllowed(
                    f"{dial.host} is not a target that Mooring dials: {verdict.rule}",
                    hint="If this server is meant, the operator adds its network to policy.allow_private_targets.",
                )
        return addresses

    async def _try_each(
        self, dial: Dial, pool: PoolConfig, targets: list[IPAddress], resolve_ms: float
    ) -> DialledStream:
        """The first address that connects; the last failure when none does."""
        deadline = time.monotonic() + TOTAL_CONNECT_S
        failure: NetworkError | None = None
        for address in targets:
            if failure is not None and time.monotonic() >= deadline:
                break
            route = await self._route(dial, pool, address)
            try:
                return await self._attempt(dial, route, resolve_ms)
            except NetworkError as e:
                if e.phase not in {"connect", "tls"} or (e.phase == "tls" and e.reason == "certificate"):
                    raise
                failure = e
        if failure is None:
            raise ConnectTimeout(f"{dial.host}:{dial.port} did not answer: the connection timed out")
        raise failure

    async def _route(self, dial: Dial, pool: PoolConfig, address: IPAddress) -> Route:
        caller, family = dial.caller, address.version
        key = (caller.subject, str(pool.environment), family)
        assigned = self._assigned.get(key) or await repository.assigned_source(self._db, *key)
        source, reason = choose(
            pool, family=family, application_id=caller.application_id, subject=caller.subject,
            subset=self._policy.subset, assigned=assigned,
        )  # fmt: skip
        if caller.grant_id:
            if source.name != assigned:
                await repository.assign_source(self._db, *key, source.name)
            self._assigned[key] = source.name
        return Route(source, address, reason)

    async def _attempt(self, dial: Dial, route: Route, resolve_ms: float | None) -> DialledStream:
        """One dial of one address from one source, in the ledger from before its SYN to its end."""
        intent = Intent(
            id=uuid.uuid4(), at=self._clock.now(), dial=dial, source=route.source, remote=str(route.remote),
            reason=route.reason, resolve_ms=resolve_ms,
        )  # fmt: skip
        await self._ledger.intend(intent)
        settlement = Settlement(intent.id, intent.at)
        started = time.monotonic()
        stream: DialledStream | None = None
        try:
            sock = await self._connect(route, dial.port)
            stream = await self._opened(sock, dial, route, settlement, started)
            if dial.tls:
                await stream.start_tls(timeout_s=TLS_TIMEOUT_S)
        except EgressError as e:
            await self._ledger.settle(
                replace(settlement, outcome=Outcome.NOT_DIALLED, cause=e.reason, detail=e.message[:500])
            )
            raise
        except NetworkError as e:
            if stream is not None:
                await stream.aclose()
            await self._ledger.settle(failed(settlement, e, self._clock.now()))
            e.route = route
            raise
        except BaseException:
            if stream is not None:
                await stream.aclose()
            raise
        return stream

    async def _opened(
        self, sock: DialledSocket, dial: Dial, route: Route, settlement: Settlement, started: float
    ) -> DialledStream:
        peer = Endpoint(str(route.remote), dial.port)
        stream = await open_stream(sock, host=dial.host, peer=peer, stream_type=DialledStream)
        stream.attach(dial, route, self._ledger, settlement, self._clock)
        self._ledger.settle_soon(
            replace(
                settlement,
                outcome=Outcome.OPENED,
                local=str(stream.local),
                connect_ms=(time.monotonic() - started) * 1000,
            )
        )
        return stream

    async def _connect(self, route: Route, port: int) -> DialledSocket:
        """A socket connected to the target, by whatever carries this source."""
        via, target = route.source.via, Endpoint(str(route.remote), port)
        if via.carrier is Carrier.BIND:
            return await connect(target, local=via.local, timeout_s=CONNECT_TIMEOUT_S)
        sock = await self._connect_proxy(route.source)
        try:
            handshake = proxies.socks5 if via.carrier is Carrier.SOCKS5 else proxies.http_connect
            await handshake(sock, via, target, timeout_s=CONNECT_TIMEOUT_S)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _connect_proxy(self, source: SourceConfig) -> DialledSocket:
        via = source.via
        try:
            address = (await resolve(via.host, via.port, timeout_s=RESOLVE_TIMEOUT_S))[0]
            return await connect(Endpoint(str(address), via.port), local=None, timeout_s=proxies.GREETING_TIMEOUT_S)
        except NetworkError as e:
            raise SourceUnavailable(
                f"the proxy of the source {source.name} cannot be reached: {e.message}",
                reason="proxy_down",
                hint=f"The operator checks that {via} is up and reachable from this host.",
            ) from e

    async def _record_undialled(self, dial: Dial, error: MooringError) -> None:
        phase = error.phase if isinstance(error, NetworkError) else ""
        cause = error.reason if isinstance(error, NetworkError | EgressError) else "target_not_allowed"
        intent = Intent(
            id=uuid.uuid4(), at=self._clock.now(), dial=dial, source=None, remote="", reason=error.message[:500],
            outcome=Outcome.FAILED if phase else Outcome.NOT_DIALLED, cause=cause,
            detail=phase and f"phase {phase}",
        )  # fmt: skip
        await self._ledger.intend(intent)


def failed(settlement: Settlement, error: NetworkError, now: datetime) -> Settlement:
    """The settlement of a dial that the network or the server ended."""
    return replace(
        settlement,
        outcome=Outcome.FAILED,
        phase=str(error.phase),
        cause=error.reason,
        detail=(error.detail or error.message)[:500],
        closed_at=now,
    )
