"""What the tests of this floor hold: a dialer over chosen pools, servers that remember who came, and the ledger."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network

from mooring.clock import Clock, SystemClock
from mooring.config import (
    Carrier,
    EnvironmentName,
    Generation,
    IPAddress,
    IPNetwork,
    Kind,
    PoolConfig,
    SourceConfig,
    Via,
)
from mooring.egress import (
    Berths,
    Caller,
    Dial,
    Dialer,
    DialerPolicy,
    Ledger,
    LedgerEntry,
    Outcome,
    SharedResolver,
    Traffic,
)
from mooring.egress.carriers import Resolver
from mooring.egress.types import Timeouts
from mooring.errors import NameNotFound
from mooring.net.listener import AdmittingListener
from mooring.store import Database

STATIC = EnvironmentName(Generation.V3, "us", Kind.STATIC)
DYNAMIC = EnvironmentName(Generation.V3, "us", Kind.DYNAMIC)

SOURCES = ("127.0.1.10", "127.0.1.11")
SERVER = "127.0.2.1"
OTHER_SERVER = "127.0.2.2"
PROXY = "127.0.3.1"

#: Of a documentation network (RFC 5737): on no interface of any host.
UNPLUMBED = "203.0.113.7"

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
CALLER = Caller(application_id="application", subject="subject")

#: Short, since what is waited for here either comes at once or never.
TIMEOUTS = Timeouts(resolve_s=2.0, connect_s=0.6, total_s=1.2, tls_s=0.6, proxy_s=0.6)


def bound(address: str, *, name: str = "", local: str = "") -> SourceConfig:
    """A source that binds its address, or another one."""
    return SourceConfig(
        name or f"bind-{address}", ip_address(address), Via(Carrier.BIND, local=ip_address(local or address))
    )


def proxied(
    carrier: Carrier, port: int, *, host: str = PROXY, address: str = PROXY, username: str = "", password: str = ""
) -> SourceConfig:
    """A source behind a proxy."""
    via = Via(carrier, host=host, port=port, username=username, password=password)
    return SourceConfig(f"{carrier}-{port}", ip_address(address), via)


class Names:
    """A resolver of the test's own: each look-up of a name gets its next answer, and the last one for ever."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(turns) for name, turns in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int, *, timeout_s: float, application_id: str = "") -> list[IPAddress]:
        self.asked.append(host)
        turns = self._answers.get(host)
        if not turns:
            raise NameNotFound(f"the name of {host} has no address")
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        return [ip_address(a) for a in answer]


class Exits:
    """Dialers over one ledger."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self.database = database
        self.clock = clock or SystemClock()
        self.ledger = Ledger(database, self.clock, timedelta(days=90))
        self.berths = Berths(20)

    def dialer(
        self,
        *sources: SourceConfig,
        environment: EnvironmentName = STATIC,
        allow: tuple[IPNetwork, ...] = LOOPBACK,
        forbidden: frozenset[tuple[str, int]] = frozenset(),
        names: Resolver | None = None,
        timeouts: Timeouts = TIMEOUTS,
    ) -> Dialer:
        """A dialer with one pool of these sources (by default, the first of ours)."""
        pool = PoolConfig(environment, sources or (bound(SOURCES[0]),))
        policy = DialerPolicy((pool,), allow=allow, forbidden=forbidden)
        resolve = names or SharedResolver()
        return Dialer(
            self.database, self.ledger, self.clock, policy, resolve=resolve, berths=self.berths, timeouts=timeouts
        )

    async def entries(self) -> list[LedgerEntry]:
        """The whole ledger, oldest first."""
        return (await self.ledger.entries(limit=1000))[::-1]

    async def entry(self) -> LedgerEntry:
        """The one entry that there is."""
        (entry,) = await self.entries()
        return entry

    async def undialled(self) -> LedgerEntry:
        """The one entry, which says that nothing was dialled."""
        entry = await self.entry()
        assert entry.outcome == Outcome.NOT_DIALLED
        assert (entry.local, entry.closed_at) == ("", None)
        return entry


def dial_to(
    host: str, port: int, *, environment: EnvironmentName = STATIC, tls: bool = False, caller: Caller = CALLER
) -> Dial:
    """A dial of the sync class."""
    return Dial(Traffic.SYNC, environment, caller, host, port, tls)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say hello, and end when the other side does."""
    writer.write(b"hello\r\n")
    await reader.read()


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing, and end when the other side does."""
    await reader.read()


@dataclass(frozen=True, slots=True)
class Server:
    """A server that remembers who came."""

    listener: AdmittingListener
    port: int

    @property
    def seen(self) -> list[str]:
        """The addresses that connections came from."""
        return [peer.host for peer in self.listener.accepted]


@asynccontextmanager
async def serving(
    handler: Handler = greet,
    *,
    address: str = SERVER,
    admitted: Sequence[str] = (*SOURCES, PROXY, SERVER, "127.0.0.1"),
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Server]:
    """A server on a free port, for as long as the block lasts.

    Args:
        admitted: the sources whose SYNs are answered; those of all others are dropped without a word.
    """
    listener = AdmittingListener(IPv4Address(address), admitted=[IPv4Address(a) for a in admitted])
    async with _handling(handler, listener, tls):
        yield Server(listener, listener.endpoint.port)


@asynccontextmanager
async def serving_ipv6(handler: Handler = greet) -> AsyncGenerator[int]:
    """A server on a free port of ::1, which admits everybody; the port."""
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    async with _handling(handler, listener, None):
        yield listener.getsockname()[1]


@asynccontextmanager
async def _handling(handler: Handler, listener: socket.socket, tls: ssl.SSLContext | None) -> AsyncGenerator[None]:
    """Serve on a listening socket; when the block ends, so do all connections."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, sock=listener, ssl=tls, ssl_handshake_timeout=5 if tls else None)
    try:
        yield
    finally:
        # What was accepted a moment ago becomes a handler a few turns of the loop later, and asyncio loses it
        # unclosed if its server is closed before that.
        asyncio.get_running_loop().remove_reader(listener.fileno())
        for _ in range(20):
            await asyncio.sleep(0)
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
