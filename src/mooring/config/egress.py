"""``[[egress.source]]`` and ``[[egress.pool]]``: read, joined, and checked against each other."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from itertools import combinations
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec

from mooring.config.types import (
    Carrier,
    EgressConfig,
    EnvironmentName,
    Generation,
    IPAddress,
    Kind,
    PoolConfig,
    SourceConfig,
    Via,
    is_region,
)
from mooring.errors import ConfigError

Refuse = Callable[[tuple[str | int, ...], str, str], ConfigError]
"""Makes the error that points at a place of the file: (where, what is wrong, remedy)."""

_DEFAULT_PROXY_PORT = {Carrier.SOCKS5: 1080, Carrier.HTTP: 3128}
"""The ports that these proxies listen on when nothing is said: RFC 1928 §3, and squid's."""
_LONGEST_LOGIN = 255
"""Bytes of a user name or a password that SOCKS5 can carry (RFC 1929 §2)."""


class RawSource(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    address: str
    via: str = "bind"
    weight: Annotated[int, msgspec.Meta(ge=1)] = 1


class RawPool(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    generation: Generation
    kind: Kind
    region: str = "us"
    sources: list[str] = []


def read_egress(raw_sources: list[RawSource], raw_pools: list[RawPool], refuse: Refuse) -> EgressConfig:
    """Sources and pools, each pool with its own sources and no address where it must not be.

    Raises:
        ConfigError: through ``refuse``.
    """
    sources: dict[str, SourceConfig] = {}
    for index, raw in enumerate(raw_sources):
        if raw.name in sources:
            raise refuse(("egress", "source", index, "name"), f"{raw.name!r} is there twice", "Give it another name.")
        sources[raw.name] = _source(raw, index, refuse)
    pools: list[PoolConfig] = []
    for index, raw in enumerate(raw_pools):
        pool = _pool(raw, index, sources, refuse)
        if any(other.environment == pool.environment for other in pools):
            raise refuse(("egress", "pool", index), f"{pool.environment} is declared twice", "Join the two.")
        pools.append(pool)
    _refuse_overlaps(pools, refuse)
    return EgressConfig(tuple(sources.values()), tuple(pools))


def _source(raw: RawSource, index: int, refuse: Refuse) -> SourceConfig:
    where = ("egress", "source", index)
    if not raw.name.strip():
        raise refuse((*where, "name"), "a source needs a name", 'Write one such as "v3-us-static-1".')
    try:
        address = _address(raw.address)
    except ValueError as e:
        raise refuse((*where, "address"), str(e), "Write the address that the far side sees.") from None
    try:
        via = _via(raw.via, address)
    except ValueError as e:
        raise refuse(
            (*where, "via"), str(e), "Write bind, bind:ADDRESS, socks5://user:pass@host:port or http://host:port."
        ) from None
    return SourceConfig(raw.name, address, via, raw.weight)


def _address(text: str) -> IPAddress:
    """An address that one host can leave from, in the one spelling that lists are compared in.

    Raises:
        ValueError: it is none. Binding 0.0.0.0 or ``::``, above all, would let the kernel choose.
    """
    try:
        address = ip_address(text)
    except ValueError:
        # Not repeated: after "bind:" it may be a URL with a password in it.
        raise ValueError("this is not an IP address") from None
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{address} is not the address of a host")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError(f"{address} is an IPv4 address in disguise; write {address.ipv4_mapped}")
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError(f"{address} has a scope, so nobody beyond this link sees it")
    return address


def _via(text: str, address: IPAddress) -> Via:
    if text == "bind":
        return Via(Carrier.BIND, local=address)
    if text.startswith("bind:"):
        local = _address(text.removeprefix("bind:"))
        if local.version != address.version:
            raise ValueError(f"{local} and {address} are not of the same family")
        return Via(Carrier.BIND, local=local)
    return _proxy(text)


def _proxy(text: str) -> Via:
    """A proxy by its URL. Nothing of the text is ever repeated: any part of it may be the password's."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("this is not a carrier; in a user name or a password write : / ? # @ as %3A …") from None
    if url.scheme not in {"socks5", "http"} or not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise ValueError("this is not a carrier")
    carrier = Carrier(url.scheme)
    username, password = unquote(url.username or ""), unquote(url.password or "")
    if max(len(username.encode()), len(password.encode())) > _LONGEST_LOGIN:
        raise ValueError(f"the user name or the password is longer than {_LONGEST_LOGIN} bytes")
    return Via(
        carrier,
        host=url.hostname,
        port=port or _DEFAULT_PROXY_PORT[carrier],
        username=username,
        password=password,
    )


def _pool(raw: RawPool, index: int, sources: dict[str, SourceConfig], refuse: Refuse) -> PoolConfig:
    where = ("egress", "pool", index)
    if not is_region(raw.region):
        raise refuse((*where, "region"), f"{raw.region!r} is not a region", "Use lower-case letters and digits.")
    environment = EnvironmentName(raw.generation, raw.region, raw.kind)
    if raw.generation is Generation.WEBHOOK and raw.kind is not Kind.STATIC:
        raise refuse((*where, "kind"), "the webhook pool is static", 'Write kind = "static".')
    if not raw.sources:
        raise refuse(
            (*where, "sources"),
            f"the pool {environment} names no source",
            "Name at least one [[egress.source]], or take the pool out: what it would carry is then answered with 503.",
        )
    for name in raw.sources:
        if name not in sources:
            known = ", ".join(sources) or "none is declared"
            raise refuse(
                (*where, "sources"), f"the pool {environment} names an unknown source {name!r}", f"Known: {known}."
            )
    return PoolConfig(environment, tuple(sources[name] for name in dict.fromkeys(raw.sources)))


def _refuse_overlaps(pools: list[PoolConfig], refuse: Refuse) -> None:
    """No address in two environments (S1, S4), but for a webhook pool that shares with a dynamic one of its region.

    Nor one that two environments bind: whatever a NAT is said to make of it, the far side sees both as the same.
    """
    for (_, a), (index, b) in combinations(enumerate(pools), 2):
        if _may_share(a.environment, b.environment):
            continue
        where = ("egress", "pool", index, "sources")
        if address := _lowest(_published(a) & _published(b)):
            raise refuse(
                where,
                f"{address} is in {a.environment} and in {b.environment}",
                "An address is of one environment only: who allows one list must not admit another.",
            )
        if local := _lowest(_bound(a) & _bound(b)):
            raise refuse(
                where,
                f"{local} is bound in {a.environment} and in {b.environment}, so both would leave from one address",
                "A NAT maps an address to one other: give each environment a local address of its own (`via`).",
            )


def _published(pool: PoolConfig) -> set[IPAddress]:
    return {source.address for source in pool.sources}


def _bound(pool: PoolConfig) -> set[IPAddress]:
    return {source.via.local for source in pool.sources if source.via.local is not None}


def _lowest(addresses: set[IPAddress]) -> str:
    """One of these, always the same, or ""."""
    return min(map(str, addresses), default="")


def _may_share(a: EnvironmentName, b: EnvironmentName) -> bool:
    if a.region != b.region:
        return False
    one_is_webhook = (a.generation is Generation.WEBHOOK) != (b.generation is Generation.WEBHOOK)
    return one_is_webhook and Kind.DYNAMIC in {a.kind, b.kind}
