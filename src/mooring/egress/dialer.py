"""The dialer: the only code that connects.

It resolves, judges the addresses, picks the source, writes the intent, connects, and hands up an
open stream. Every way that this can end is in the ledger, and none of them ends with a connection
from an address that was not meant.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from mooring.clock import Clock
from mooring.config import IPAddress, IPNetwork, PoolConfig, SourceConfig
from mooring.egress import repository
from mooring.egress.berths import Berth, Berths
from mooring.egress.carriers import Resolver, carry, try_out
from mooring.egress.ledger import Ledger
from mooring.egress.lookups import Lookups
from mooring.egress.routes import choose, only, pinned, pool_of, reachable
from mooring.egress.stream import DialledStream, failed
from mooring.egress.types import Caller, Dial, Intent, Outcome, Route, Settlement, Timeouts, Traffic
from mooring.errors import (
    EgressError,
    LedgerUnavailable,
    MooringError,
    NetworkError,
    Phase,
    SourceBusy,
)
from mooring.net import Endpoint
from mooring.net.connect import DialledSocket, open_stream
from mooring.store import Database

DEFAULT_TIMEOUTS = Timeouts()

REMEMBERED_S = 10.0
"""Seconds for which it is remembered which source an account keeps; it changes when the account leaves one."""
ADDRESSES_TRIED = 10
"""Of one server, in one dial: each is a row of the ledger and a SYN to somebody."""


@dataclass(frozen=True, slots=True)
class DialerPolicy:
    """What the operator decided about dialling.

    Attributes:
        pools: the pools that this process may leave by.
        allow: private networks that may be dialled.
        forbidden: our own listeners and database, as (address, port); 0.0.0.0 or :: for every address of this host.
        subset: how many sources of a static pool one application's grants use.
    """

    pools: tuple[PoolConfig, ...]
    allow: tuple[IPNetwork, ...] = ()
    forbidden: frozenset[tuple[str, int]] = frozenset()
    subset: int = 2


class Dialer:
    """Opens streams that provably leave by the source they were meant to leave by.

    Args:
        resolve: from a name to the addresses that are judged and dialled; nothing is looked up a second time.
        berths: how many connections there may be; webhooks, which go to no mail server, take none.
    """

    def __init__(
        self,
        db: Database,
        ledger: Ledger,
        clock: Clock,
        policy: DialerPolicy,
        *,
        resolve: Resolver,
        berths: Berths,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._resolve = resolve
        self._berths = berths
        self._timeouts = timeouts
        self._assigned: dict[tuple[Caller, str, int], tuple[str, float]] = {}
        self._lookups = Lookups(resolve, timeouts.resolve_s, allow=policy.allow, forbidden=policy.forbidden)

    @property
    def timeouts(self) -> Timeouts:
        """How long each step may take."""
        return self._timeouts

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
        pool, targets, resolve_ms = await self._plan_or_record(dial, None)
        return await self._try_each(dial, pool, targets, resolve_ms)

    async def dial_from(self, dial: Dial, source: SourceConfig) -> DialledStream:
        """As ``dial``, from one named source of the environment's pool to one address: for checks and probes."""
        _, targets, resolve_ms = await self._plan_or_record(dial, source)
        route = Route(source, targets[0], f"{source.name} was asked for by name")
        berth = await self._berth(dial, route, resolve_ms, self._timeouts.total_s)
        return await self._attempt(dial, route, berth, resolve_ms, connect_s=self._timeouts.connect_s)

    async def look_up(self, dial: Dial) -> list[IPAddress]:
        """The addresses of ``dial.host``, all of them judged, for ``dial_pair``; nothing is dialled.

        Raises:
            NameNotFound, ResolverTimeout: theirs. ResolverBusy: ours.
            TargetNotAllowed: the name led to an address that is never dialled.
        Writes: one ledger entry if there is no address to dial.
        """
        started = time.monotonic()
        try:
            return await self._lookups.addresses(dial)
        except MooringError as e:
            await self._record_undialled(dial, e, _ms_since(started))
            raise

    async def dial_pair(
        self,
        dial: Dial,
        source: SourceConfig,
        remote: IPAddress,
        *,
        connect_s: float | None = None,
        departing: Callable[[], None] | None = None,
    ) -> DialledStream:
        """As ``dial_from``, to an address of the host's that was looked up before: judged anew, not resolved anew.

        Args:
            connect_s: seconds for the handshake of TCP; None for as long as any dial has.
            departing: called just before the SYN, when berth and ledger have been waited for: what follows is theirs.
        """
        try:
            reachable([remote], only(source, pool_of(dial.environment, self._policy.pools)))
            self._lookups.judge(dial, remote)
        except MooringError as e:
            await self._record_undialled(dial, e, 0.0, source)
            raise
        route = Route(source, remote, f"{source.name} to {remote} was asked for by name")
        berth = await self._berth(dial, route, 0.0, self._timeouts.total_s)
        connect_s = connect_s or self._timeouts.connect_s
        return await self._attempt(dial, route, berth, 0.0, connect_s=connect_s, departing=departing)

    async def explain(self, dial: Dial) -> list[Route]:
        """The routes that ``dial`` would try, in order, without dialling: the same choices, asked aloud.

        Raises:
            What ``dial`` would raise before it connects.
        """
        pool, targets = await self._plan(dial, None)
        return [await self._choose(dial, pool, address) for address in targets]

    async def try_out(self, source: SourceConfig) -> None:
        """See whether a source can be used, as far as that shows without a target.

        Raises:
            EgressError: it cannot.
        """
        await try_out(source, resolve=self._resolve, timeouts=self._timeouts)

    async def _plan_or_record(
        self, dial: Dial, source: SourceConfig | None
    ) -> tuple[PoolConfig, list[IPAddress], float]:
        started = time.monotonic()
        try:
            pool, targets = await self._plan(dial, source)
        except MooringError as e:
            await self._record_undialled(dial, e, _ms_since(started))
            raise
        return pool, targets, _ms_since(started)

    async def _plan(self, dial: Dial, source: SourceConfig | None) -> tuple[PoolConfig, list[IPAddress]]:
        """The pool to leave by and the addresses to dial, all of them judged."""
        pool = pool_of(dial.environment, self._policy.pools)
        if source is not None:
            pool = only(source, pool)
        addresses = await self._lookups.addresses(dial)
        return pool, pinned(dial.remote, reachable(addresses, pool))[:ADDRESSES_TRIED]

    async def _try_each(
        self, dial: Dial, pool: PoolConfig, targets: list[IPAddress], resolve_ms: float
    ) -> DialledStream:
        """The first address that connects. When none does, what the server did counts before what our exits did."""
        deadline = time.monotonic() + self._timeouts.total_s
        failures: list[NetworkError | EgressError] = []
        broken: set[str] = set()
        for address in targets:
            left_s = deadline - time.monotonic()
            if failures and left_s <= 0:
                break
            route = await self._route(dial, pool, address)
            if route.source.name in broken:
                continue
            try:
                waited = time.monotonic()
                berth = await self._berth(dial, route, resolve_ms, left_s)
                if dial.traffic is Traffic.SYNC:
                    # It has all the time; the server's answer is still to come in due time.
                    deadline += time.monotonic() - waited
                left_s = deadline - time.monotonic()
                return await self._attempt(
                    dial, route, berth, resolve_ms, connect_s=min(left_s, self._timeouts.connect_s)
                )
            except LedgerUnavailable:
                raise
            except EgressError as e:
                # Not the end: the pool may have a source of the other family, and the server such an address.
                broken.add(route.source.name)
                failures.append(e)
            except NetworkError as e:
                if e.phase is Phase.TLS and e.reason == "certificate":
                    raise
                failures.append(e)
        raise next((e for e in reversed(failures) if isinstance(e, NetworkError)), failures[-1])

    async def _choose(self, dial: Dial, pool: PoolConfig, address: IPAddress) -> Route:
        caller = dial.caller
        key = (caller, str(pool.environment), int(address.version))
        assigned = self._remembered(key) or await repository.assigned_source(self._db, caller.subject, *key[1:])
        # Remembered for a grant alone: without one an assignment may be forgotten, and then it must be written anew.
        if assigned and caller.grant_id:
            self._remember(key, assigned)
        if assigned == dial.leaves:
            assigned = None
        source, reason = choose(
            pool, family=address.version, application_id=caller.application_id, subject=caller.subject,
            subset=self._policy.subset, assigned=assigned,
            draining=() if assigned else await repository.draining(self._db),
        )  # fmt: skip
        return Route(source, address, reason)

    async def _route(self, dial: Dial, pool: PoolConfig, address: IPAddress) -> Route:
        """The choice, kept for good once there is a grant."""
        route = await self._choose(dial, pool, address)
        caller = dial.caller
        key = (caller, str(pool.environment), int(address.version))
        if caller.grant_id and not dial.leaves and self._remembered(key) != route.source.name:
            await repository.assign_source(self._db, caller.subject, *key[1:], route.source.name)
            self._remember(key, route.source.name)
        return route

    def _remembered(self, key: tuple[Caller, str, int]) -> str | None:
        """The assigned source, if it was looked up a moment ago: another process may have it changed."""
        name, until = self._assigned.get(key, (None, 0.0))
        return name if time.monotonic() < until else None

    def _remember(self, key: tuple[Caller, str, int], name: str) -> None:
        if self._remembered(key) != name:
            self._assigned[key] = (name, time.monotonic() + REMEMBERED_S)

    async def _berth(self, dial: Dial, route: Route, resolve_ms: float, left_s: float) -> Berth:
        try:
            return await self._berths.for_dial(dial, route.source.name, within_s=left_s)
        except SourceBusy as e:
            await self._record_undialled(dial, e, resolve_ms, route.source)
            raise

    async def _attempt(
        self,
        dial: Dial,
        route: Route,
        berth: Berth,
        resolve_ms: float,
        *,
        connect_s: float,
        departing: Callable[[], None] | None = None,
    ) -> DialledStream:
        """One dial of one address from one source, in the ledger from before its SYN to its end."""
        intent = Intent(
            id=uuid.uuid4(), at=self._clock.now(), dial=dial, source=route.source, remote=str(route.remote),
            reason=route.reason, resolve_ms=resolve_ms,
        )  # fmt: skip
        with berth.given_back_on_failure():
            await self._ledger.intend(intent)
        settlement = Settlement(intent.id, intent.at)
        if departing is not None:
            departing()
        started = time.monotonic()
        stream: DialledStream | None = None
        try:
            sock = await carry(
                route.source, Endpoint(str(route.remote), dial.port), resolve=self._resolve,
                timeouts=self._timeouts, connect_s=connect_s,
            )  # fmt: skip
            stream = await self._opened(sock, dial, route, berth, settlement, started)
            if dial.tls:
                await stream.start_tls(timeout_s=self._timeouts.tls_s)
        except BaseException as e:
            if stream is None:
                berth.give_back()
                settlement = replace(settlement, connect_ms=_ms_since(started))
            else:
                await stream.aclose()
            await self._settle_end(settlement, e, Phase.TLS if stream else Phase.CONNECT)
            if isinstance(e, NetworkError):
                e.route = route
            raise
        return stream

    async def _opened(
        self, sock: DialledSocket, dial: Dial, route: Route, berth: Berth, settlement: Settlement, started: float
    ) -> DialledStream:
        peer = Endpoint(str(route.remote), dial.port)
        stream = await open_stream(sock, host=dial.host, peer=peer, stream_type=DialledStream)
        stream.attach(dial, route, berth, self._ledger, settlement, self._clock)
        local, connect_ms = str(stream.local), _ms_since(started)
        self._ledger.settle_soon(replace(settlement, outcome=Outcome.OPENED, local=local, connect_ms=connect_ms))
        return stream

    async def _settle_end(self, settlement: Settlement, error: BaseException, phase: Phase) -> None:
        """Write how a dial ended that opened no stream; who gave it up does not wait for that."""
        closed = replace(settlement, closed_at=self._clock.now())
        match error:
            case EgressError():
                undialled = replace(settlement, outcome=Outcome.NOT_DIALLED, cause=error.reason)
                await self._ledger.settle(replace(undialled, detail=error.message[:500]))
            case NetworkError():
                await self._ledger.settle(failed(closed, error))
            case _:
                cause = "cancelled" if isinstance(error, asyncio.CancelledError) else "internal"
                self._ledger.settle_soon(replace(closed, outcome=Outcome.FAILED, phase=str(phase), cause=cause))

    async def _record_undialled(
        self, dial: Dial, error: MooringError, resolve_ms: float, source: SourceConfig | None = None
    ) -> None:
        cause = error.reason if isinstance(error, NetworkError | EgressError) else "target_not_allowed"
        theirs = isinstance(error, NetworkError)
        intent = Intent(
            id=uuid.uuid4(), at=self._clock.now(), dial=dial, source=source, remote="", reason=error.message[:500],
            outcome=Outcome.FAILED if theirs else Outcome.NOT_DIALLED, phase=str(error.phase) if theirs else "",
            cause=cause, resolve_ms=resolve_ms,
        )  # fmt: skip
        await self._ledger.intend(intent)


def _ms_since(started: float) -> float:
    return (time.monotonic() - started) * 1000
