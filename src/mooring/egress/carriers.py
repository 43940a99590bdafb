"""How a source gets its address onto the wire: bound here, or by an operator's proxy."""

import contextlib
from typing import Protocol

from mooring.config import Carrier, IPAddress, SourceConfig
from mooring.egress import proxies
from mooring.egress.types import Timeouts
from mooring.errors import NetworkError, SourceUnavailable
from mooring.net import Endpoint
from mooring.net.connect import DialledSocket, connect, is_local

PROXY_ADDRESSES = 3
"""Of one proxy's name, tried one after the other: each may cost its whole time-out."""


class Resolver(Protocol):
    """From a name to its addresses."""

    async def __call__(self, host: str, port: int, *, timeout_s: float, application_id: str = "") -> list[IPAddress]:
        """The addresses, each once.

        Args:
            application_id: who wants to know; "" for the operator.
        Raises:
            NameNotFound, ResolverTimeout, ResolverBusy.
        """
        ...


async def carry(
    source: SourceConfig, target: Endpoint, *, resolve: Resolver, timeouts: Timeouts, connect_s: float
) -> DialledSocket:
    """A socket that is connected to ``target`` and leaves by ``source``.

    Args:
        connect_s: seconds for the target to answer; a proxy has ``timeouts.proxy_s`` for itself.
    Raises:
        EgressError: the source failed: ours. NetworkError, of phase connect: the target did.
    """
    via = source.via
    match via.carrier:
        case Carrier.BIND:
            return await connect(target, local=via.local, timeout_s=connect_s)
        case Carrier.SOCKS5:
            handshake = proxies.socks5
        case Carrier.HTTP:
            handshake = proxies.http_connect
    sock = await _connect_proxy(source, resolve, timeouts)
    try:
        await handshake(sock, via, target, timeout_s=connect_s, own_s=timeouts.proxy_s)
    except BaseException:
        sock.close()
        raise
    return sock


async def try_out(source: SourceConfig, *, resolve: Resolver, timeouts: Timeouts) -> None:
    """See whether a source can be used, as far as that shows without a target.

    Raises:
        EgressError: it cannot.
    """
    via = source.via
    if via.local is not None:
        if not is_local(via.local):
            raise SourceUnavailable(
                f"{via.local} is not an address of this host",
                reason="unplumbed",
                hint="The operator adds it to an interface, or corrects the source's `via`.",
            )
        return
    sock = await _connect_proxy(source, resolve, timeouts)
    try:
        if via.carrier is Carrier.SOCKS5:
            await proxies.greet_socks5(sock, via, timeout_s=timeouts.proxy_s)
    finally:
        sock.close()


async def _connect_proxy(source: SourceConfig, resolve: Resolver, timeouts: Timeouts) -> DialledSocket:
    """A socket to the first of the proxy's addresses that answers."""
    via = source.via
    try:
        addresses = await resolve(via.host, via.port, timeout_s=timeouts.resolve_s)
        *others, last = addresses[:PROXY_ADDRESSES]
        for address in others:
            with contextlib.suppress(NetworkError):
                return await connect(Endpoint(str(address), via.port), local=None, timeout_s=timeouts.proxy_s)
        return await connect(Endpoint(str(last), via.port), local=None, timeout_s=timeouts.proxy_s)
    except NetworkError as e:
        raise SourceUnavailable(
            f"the proxy of the source {source.name} cannot be reached: {e.message}",
            reason="proxy_down",
            hint=f"The operator checks that {via} is up and reachable from this host.",
        ) from e
