"""Which environment, which source, which of the server's addresses: pure choices, each with its reason."""

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import zip_longest

from mooring.config import EnvironmentName, Generation, IPAddress, Kind, PoolConfig, SourceConfig
from mooring.egress.types import Traffic
from mooring.errors import NoSource


def kind_for(traffic: Traffic, *, generation: Generation, feature_on: bool, placement: Kind) -> Kind:
    """Which kind of environment a dial of this class leaves by: the table of spec §4, for what has a placement.

    Args:
        feature_on: the application's entitlement to static addresses.
        placement: what is stored on the grant.
    """
    match generation, traffic:
        case Generation.V3, Traffic.AUTH | Traffic.DISCOVERY:
            return Kind.STATIC
        case Generation.V3, _:
            return placement
        case _, Traffic.AUTH | Traffic.DISCOVERY:
            return Kind.STATIC if feature_on else Kind.DYNAMIC
        case _:
            return placement if feature_on else Kind.DYNAMIC


def pool_of(environment: EnvironmentName, pools: Sequence[PoolConfig]) -> PoolConfig:
    """The declared pool of this environment.

    Raises:
        NoSource: there is none. There is no default to fall back to.
    """
    for pool in pools:
        if pool.environment == environment:
            if not pool.sources:
                raise NoSource(f"the pool {environment} has no source", reason="empty_pool")
            return pool
    raise NoSource(
        f"this installation declares no pool {environment}",
        reason="unknown_pool",
        hint=f"The operator adds a [[egress.pool]] for {environment}, or serves it from another process.",
    )


def only(source: SourceConfig, pool: PoolConfig) -> PoolConfig:
    """The pool with this source alone.

    Raises:
        NoSource: it is none of the pool's.
    """
    if source not in pool.sources:
        raise NoSource(f"{source.name} is not a source of {pool.environment}", reason="unknown_source")
    return replace(pool, sources=(source,))


def reachable(addresses: Sequence[IPAddress], pool: PoolConfig) -> list[IPAddress]:
    """The target's addresses that the pool has a source for: in their order, and the families by turns.

    So an IPv6 that leads nowhere costs one time-out before IPv4 has its turn (RFC 8305 §4).

    Raises:
        NoSource: the families do not meet; a bound IPv4 source never reaches an IPv6 address.
    """
    families = {source.address.version for source in pool.sources}
    usable = [address for address in addresses if address.version in families]
    if not usable:
        have = " and ".join(f"IPv{f}" for f in sorted(families))
        want = " and ".join(f"IPv{f}" for f in sorted({a.version for a in addresses}))
        raise NoSource(
            f"the server has only {want} addresses, and {pool.environment} only {have} sources", reason="wrong_family"
        )
    first = [address for address in usable if address.version == usable[0].version]
    other = [address for address in usable if address.version != usable[0].version]
    return [address for pair in zip_longest(first, other) for address in pair if address is not None]


def pinned(wanted: str, addresses: list[IPAddress]) -> list[IPAddress]:
    """The address that is wanted alone, if it is one of these; else all of them."""
    return [address for address in addresses if str(address) == wanted] or addresses


def choose(
    pool: PoolConfig,
    *,
    family: int,
    application_id: str,
    subject: str,
    subset: int,
    assigned: str | None,
    draining: Collection[str] = (),
) -> tuple[SourceConfig, str]:
    """The source for a subject, and why it is this one.

    A stored assignment is kept for as long as its source is in the pool. Otherwise weighted rendezvous
    decides, twice: the application's small subset of the pool, then the subject's source within it.

    Args:
        draining: sources that nobody is newly placed on, unless there is no other.
    """
    candidates = [s for s in pool.sources if s.address.version == family]
    for source in candidates:
        if source.name == assigned:
            return source, f"{source.name} is assigned to this account"
    candidates = [s for s in candidates if s.name not in draining] or candidates
    allowed = rank(candidates, application_id)[:subset] if pool.environment.kind is Kind.STATIC else candidates
    source = rank(allowed, subject)[0]
    kept = f"; {assigned} has left the pool" if assigned else ""
    return source, f"{source.name} by weighted rendezvous among {len(allowed)} of {pool.environment}{kept}"


def rank(sources: Sequence[SourceConfig], key: str) -> list[SourceConfig]:
    """The sources by weighted rendezvous for ``key``, best first.

    Growing n sources by one moves the first place of 1/(n+1) of the keys, and no more.
    Source: Thaler, Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996); weights as -w/ln(u).
    """

    def score(source: SourceConfig) -> float:
        digest = hashlib.sha256(f"{key}|{source.name}".encode()).digest()
        uniform = (int.from_bytes(digest[:8], "big") + 0.5) / 2**64
        return -source.weight / math.log(uniform)

    return sorted(sources, key=score, reverse=True)
