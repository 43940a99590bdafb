"""The guard of the exits, which the kernel keeps: its rules as text, and what the kernel tells of them. No effect.

The rules judge what the processes of one user open, whatever code in them does it: a connection leaves from an
address of the pools, or goes where it may go from any address, or it is a leak.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

from mooring.config import IPAddress, IPNetwork

LEAKS = "leaks"
"""The name of the counter."""

REMEMBERED = 4096
"""Leaks of each family that the kernel remembers one by one, so that each is counted once."""
REMEMBERED_FOR = "10m"
"""How long it does: far longer than a SYN is repeated (127 s, tcp_syn_retries), and than a watch takes to see it."""

_WITH_PORT = re.compile(r"(?:\[([0-9a-fA-F:./]+)\]|([0-9./]+)):([0-9]{1,5})")
_CHAINS = ("output", "judge", "leak")
_FAMILIES = (("4", "ip"), ("6", "ip6"))


class GuardMode(StrEnum):
    """What is known of the guard."""

    #: leaks are counted, and leave
    COUNTING = "counting"
    #: leaks are counted, and do not leave
    DROPPING = "dropping"
    #: the kernel has no such rules
    NOT_APPLIED = "not_applied"
    #: this process may not ask the kernel, and nobody who may tells it
    UNWATCHED = "unwatched"
    #: somebody told, and no longer does
    SILENT = "silent"

    @property
    def applied(self) -> bool:
        """Whether the kernel is known to judge now."""
        return self in {GuardMode.COUNTING, GuardMode.DROPPING}


@dataclass(frozen=True, slots=True)
class Opening:
    """Where connections may go from any address.

    Attributes:
        port: None for all of them, of whatever protocol.
        why: one of our own words.
    """

    network: IPNetwork
    port: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Guard:
    """What the processes of one user may open.

    Attributes:
        uid: whose connections are judged, by the user that opened the socket.
        sources: the addresses that they may leave from.
        drop: whether a leak is stopped as well as counted.
    """

    uid: int
    user: str
    sources: tuple[IPAddress, ...]
    openings: tuple[Opening, ...]
    drop: bool


@dataclass(frozen=True, slots=True)
class Leak:
    """A connection that left, or would have left, from an address that is not of the pools."""

    protocol: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class GuardState:
    """The guard as it is now.

    Attributes:
        leaks: connections since the rules were first applied; None unless the kernel is known to judge now.
        sources: the addresses that it admits.
        recent: the leaks that the kernel still remembers.
    """

    mode: GuardMode
    leaks: int | None = None
    sources: frozenset[IPAddress] = frozenset()
    recent: frozenset[Leak] = frozenset()


def table_of(uid: int) -> str:
    """The name of the table that is ours, and nobody else's: one for each user, so that two installations can be."""
    return f"mooring_guard_{uid}"


def ruleset(guard: Guard) -> str:
    """The rules, for ``nft -f``: loaded in one transaction, over whatever the same table had before.

    Nothing is deleted but rules and addresses, so the counter goes on over a new application, and no moment is
    without rules. A SYN is what opens a connection, not conntrack's ``new``: that is also the middle of a
    connection which conntrack has not seen before, such as an answer of the API when the rules are first loaded.
    """
    table = f"inet {table_of(guard.uid)}"
    return "\n".join([*_head(guard), *_frame(table), *_elements(table, guard.sources), *_rules(table, guard), ""])


def read_listing(listing: dict[str, Any]) -> GuardState:
    """What ``nft -j list table`` tells of a table that ``ruleset`` made."""
    items: list[dict[str, Any]] = listing["nftables"]
    rules: dict[str, list[list[dict[str, Any]]]] = {}
    for rule in _of("rule", items):
        rules.setdefault(rule["chain"], []).append(rule["expr"])
    # A table that somebody flushed still has its counter, which nothing counts up: no zero is read off that.
    if not all(rules.get(chain) for chain in _CHAINS):
        return GuardState(GuardMode.NOT_APPLIED)
    drops = any("drop" in statement for rule in rules["leak"] for statement in rule)
    sets = {item["name"]: item.get("elem", []) for item in _of("set", items)}
    return GuardState(
        GuardMode.DROPPING if drops else GuardMode.COUNTING,
        leaks=next(int(c["packets"]) for c in _of("counter", items) if c["name"] == LEAKS),
        sources=frozenset(ip_address(a) for family, _ in _FAMILIES for a in sets[f"sources{family}"]),
        recent=frozenset(_leak(element) for family, _ in _FAMILIES for element in sets[f"leaked{family}"]),
    )


def read_opening(text: str) -> Opening:
    """An opening as an operator writes it: ``192.0.2.7``, ``192.0.2.0/24:443``, ``[2001:db8::/32]:443``.

    Raises:
        ValueError: it is none.
    """
    if "%" in text:
        raise ValueError("a scope is of one link only")
    match = _WITH_PORT.fullmatch(text)
    place, port = (match[1] or match[2], int(match[3])) if match else (text, None)
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"there is no port {port}")
    return Opening(ip_network(place, strict=False), port, "allowed")


def _head(guard: Guard) -> Iterator[str]:
    verdict = "counted and dropped" if guard.drop else "counted"
    yield f"# Connections of the user {guard.user} ({guard.uid}) that leave from no address of the pools are {verdict}."
    yield "# Written by mooring egress guard; loading it again replaces it."


def _frame(table: str) -> Iterator[str]:
    yield f"add table {table}"
    yield f"add counter {table} {LEAKS}"
    for family, _ in _FAMILIES:
        address = f"ipv{family}_addr"
        yield f"add set {table} sources{family} {{ type {address}; }}"
        yield (
            f"add set {table} leaked{family} {{ type inet_proto . {address} . inet_service . {address} . inet_service; "
            f"size {REMEMBERED}; flags dynamic,timeout; timeout {REMEMBERED_FOR}; }}"
        )
    yield f"add chain {table} output {{ type filter hook output priority mangle; policy accept; }}"
    yield f"add chain {table} judge"
    yield f"add chain {table} leak"
    yield from (f"flush chain {table} {chain}" for chain in _CHAINS)


def _elements(table: str, sources: Sequence[IPAddress]) -> Iterator[str]:
    for family, _ in _FAMILIES:
        yield f"flush set {table} sources{family}"
        ours = sorted({a for a in sources if str(a.version) == family}, key=int)
        if ours:
            yield f"add element {table} sources{family} {{ {', '.join(map(str, ours))} }}"


def _rules(table: str, guard: Guard) -> Iterator[str]:
    # What stays on loopback does not leave this host, whatever its address.
    yield f'add rule {table} output meta skuid {guard.uid} oifname != "lo" jump judge'
    yield f"add rule {table} judge tcp flags & (fin | syn | rst | ack) != syn accept"
    yield f'add rule {table} judge meta l4proto {{ tcp, udp }} th dport 53 accept comment "name servers"'
    for family, ip in _FAMILIES:
        yield f"add rule {table} judge {ip} saddr @sources{family} accept"
    for opening in guard.openings:
        ip = "ip" if opening.network.version == 4 else "ip6"
        port = "" if opening.port is None else f" tcp dport {opening.port}"
        yield f'add rule {table} judge {ip} daddr {opening.network}{port} accept comment "{opening.why}"'
    yield f"add rule {table} judge goto leak"
    # A repeated packet of what was counted is not counted again. If too many are remembered, it is: never too few.
    for family, ip in _FAMILIES:
        yield f"add rule {table} leak {_key(ip)} @leaked{family} {'drop' if guard.drop else 'accept'}"
    yield f"add rule {table} leak counter name {LEAKS}"
    for family, ip in _FAMILIES:
        yield f"add rule {table} leak add @leaked{family} {{ {_key(ip)} }}"
    if guard.drop:
        yield f"add rule {table} leak drop"


def _key(ip: str) -> str:
    return f"meta l4proto . {ip} saddr . th sport . {ip} daddr . th dport"


def _of(kind: str, items: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (item[kind] for item in items if kind in item)


def _leak(element: dict[str, Any]) -> Leak:
    protocol, source, source_port, target, target_port = element["elem"]["val"]["concat"]
    return Leak(str(protocol), _endpoint(source, source_port), _endpoint(target, target_port))


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
