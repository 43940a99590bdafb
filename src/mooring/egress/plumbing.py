"""What is settled before anything is dialled: the addresses this host has, and the tripwire."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from mooring.config import Carrier, Host, IPAddress, PoolConfig, SourceConfig
from mooring.egress.guard import Guard, Opening
from mooring.egress.names import SharedResolver
from mooring.errors import ConfigError, NetworkError
from mooring.net import tripwire
from mooring.net.connect import is_local, primary_addresses

_NONLOCAL_BIND = (
    Path("/proc/sys/net/ipv4/ip_nonlocal_bind"),
    Path("/proc/sys/net/ipv6/ip_nonlocal_bind"),
)

_HOST_AND_PORT = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\[\]:]+))(?::([0-9]{1,5}))?")


def check_plumbing(pools: Iterable[PoolConfig]) -> None:
    """Refuse to start with an address to bind that this host lacks.

    Raises:
        ConfigError: naming the source, the address and the remedy; or what ``check_kernel`` says.
    """
    bound = [(pool, s) for pool in pools for s in pool.sources if s.via.carrier is Carrier.BIND]
    for pool, source in bound:
        local = lacking(source)
        if local is not None:
            raise ConfigError(
                f"the source {source.name} of the pool {pool.environment} binds {local}, "
                "which is not an address of this host",
                hint=f"Add it (ip addr add {local}/{local.max_prefixlen} dev …), or correct the source's `via`.",
            )
    if bound:
        check_kernel()


def check_kernel() -> None:
    """Refuse to work where the kernel binds addresses that it does not have: nothing would tell a missing one.

    Raises:
        ConfigError.
    """
    for path in _NONLOCAL_BIND:
        if path.exists() and path.read_text().strip() == "1":
            raise ConfigError(
                f"{path} is 1, so the kernel would bind addresses that this host does not have",
                hint=f"Set it to 0 (sysctl -w net.{path.parent.name}.{path.name}=0): "
                "a missing address must be an error, not silence.",
            )


def lacking(source: SourceConfig) -> IPAddress | None:
    """The address that a source binds and this host does not have, if that is so."""
    local = source.via.local
    return local if local is not None and not is_local(local) else None


def host_addresses() -> Host:
    """The addresses that this host would leave from, for a starter configuration."""
    return Host(tuple(primary_addresses()))


async def database_endpoints(url: str) -> set[tuple[str, int]]:
    """Where an external database listens: not dialled by the dialer, and never by anybody's request.

    Args:
        url: as PostgreSQL takes it, with several hosts or the host in the query; a host that is a folder is a socket.
    Raises:
        ConfigError: its host has no address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _no_host() from None
    query = dict(parse_qsl(parts.query))
    netloc = parts.netloc.rpartition("@")[2]
    hosts = [h for h in (query.get("host") or netloc).split(",") if h and not unquote(h).startswith("/")]
    endpoints: set[tuple[str, int]] = set()
    for item in hosts:
        # Split by hand: what urlsplit says of a port that is none would quote a password with a slash in it.
        match = _HOST_AND_PORT.fullmatch(item)
        if match is None:
            raise _no_host()
        port = int(match[3] or query.get("port") or 5432)
        try:
            addresses = await SharedResolver()(match[1] or match[2], port, timeout_s=5.0)
        except NetworkError as e:
            raise ConfigError(
                f"the database's host cannot be found: {e.message}", hint="Check database.url in the configuration."
            ) from e
        endpoints.update((str(address), port) for address in addresses)
    return endpoints


async def listener_endpoints(host: str, port: int) -> set[tuple[str, int]]:
    """Where our own API listens: nobody's request is to lead there.

    Raises:
        ConfigError: the host has no address.
    """
    try:
        return {(str(address), port) for address in await SharedResolver()(host, port, timeout_s=5.0)}
    except NetworkError as e:
        raise ConfigError(
            f"[server] listen names {host!r}, which has no address: {e.message}",
            hint="Write an address of this host, such as 127.0.0.1:8025.",
        ) from e


async def guard_of(
    pools: Sequence[PoolConfig], database_url: str, *, uid: int, user: str, allowed: Sequence[Opening], drop: bool
) -> Guard:
    """The guard of these pools: their addresses, their proxies and the database; names are looked up now.

    Args:
        allowed: where else connections may go.
    Raises:
        ConfigError: there is no pool, or a proxy or the database has no address.
    """
    if not pools:
        raise ConfigError(
            "no pool is declared, so there is nothing to guard",
            hint="docs/configuration.md shows how, under [[egress.pool]].",
        )
    sources = [source for pool in pools for source in pool.sources]
    proxies: set[tuple[str, int]] = set()
    for source in sources:
        if source.via.local is None:
            proxies |= await _proxy_endpoints(source)
    openings = [
        *(Opening(ip_network(address), port, "proxy") for address, port in sorted(proxies)),
        *(
            Opening(ip_network(address), port, "database")
            for address, port in sorted(await database_endpoints(database_url))
        ),
        *allowed,
    ]
    local = (source.via.local for source in sources)
    return Guard(uid, user, tuple(dict.fromkeys(a for a in local if a is not None)), tuple(openings), drop)


async def _proxy_endpoints(source: SourceConfig) -> set[tuple[str, int]]:
    via = source.via
    try:
        return {(str(address), via.port) for address in await SharedResolver()(via.host, via.port, timeout_s=5.0)}
    except NetworkError as e:
        raise ConfigError(
            f"the proxy of the source {source.name} cannot be found: {e.message}", hint="Check the source's `via`."
        ) from e


def _no_host() -> ConfigError:
    return ConfigError("the database's URL names no host", hint="postgresql://user:password@host:5432/database")


def arm_tripwire(exceptions: set[tuple[str, int]]) -> None:
    """Stop every connect of this process that the dialer does not make, but for the database's."""
    tripwire.arm(exceptions)
