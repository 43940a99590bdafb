"""Which addresses may be dialled at all: judged on resolved addresses, never on how a name was spelt.

The standard library's ``is_global`` is not enough: it lets NAT64, 6to4, v4-compatible, multicast and
site-local addresses through. So addresses that carry another address are unwrapped first, and the
table below is our own, after IANA's special-purpose registries (RFC 6890, as updated).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from mooring.config import IPAddress, IPNetwork

METADATA = tuple(
    ip_network(a)
    for a in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
        "100.100.100.200", "168.63.129.16", "192.0.0.192",
    )
)  # fmt: skip
"""Cloud metadata services (all, AWS tasks and pods, AWS and Google over IPv6, Alibaba, Azure, Oracle). Refused even
where the operator allowed the network around them."""

_PRIVATE_V4 = tuple(
    IPv4Network(n)
    for n in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
    )
)  # fmt: skip
_GLOBAL_V6 = IPv6Network("2000::/3")
_PRIVATE_V6 = tuple(IPv6Network(n) for n in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NEVER = tuple(ip_network(n) for n in ("0.0.0.0/32", "::/128", "224.0.0.0/4", "ff00::/8", "255.255.255.255/32"))
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
"""RFC 8215: where in it the IPv4 address lies is the network's own choice (RFC 6052 §2.2), so all of it is private."""
_SIX_TO_FOUR = IPv6Network("2002::/16")
_V4_COMPATIBLE = IPv6Network("::/96")

MAIL_PORTS = frozenset({25, 80, 110, 143, 443, 465, 587, 993, 995})
"""The ports below 1024 that mail, calendars and their discovery use; others are refused on public targets."""


MOST_ADDRESSES = 64
"""Addresses that one name may have. Mail hosts have a dozen at most; a thousand would make a scanner of us."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an address may be dialled, the rule that says so, as a sentence, and what could change it.

    Attributes:
        is_of_port: the port decided, whatever the address; else the rule names the address.
    """

    allowed: bool
    rule: str
    hint: str = ""
    is_of_port: bool = False


def plain(addresses: Iterable[IPAddress]) -> list[IPAddress]:
    """The addresses as what a connection to them is in the end, each once.

    An IPv4 address inside a mapped one or behind NAT64 (RFC 6052 §2.1) sees whatever IPv4 address the translator has,
    never our IPv6 source: it is IPv4's to reach.
    """
    return list(dict.fromkeys(_ipv4_inside(address) or address for address in addresses))


def judge(
    address: IPAddress,
    port: int,
    *,
    allow: tuple[IPNetwork, ...],
    forbidden: frozenset[tuple[str, int]] = frozenset(),
) -> Judgement:
    """Whether ``address`` may be dialled.

    Args:
        allow: the private networks that the operator opened (``policy.allow_private_targets``).
        forbidden: our own listeners and the database, as (address, port).
    """
    for inner in _unwrap(address):
        if any(inner in network for network in METADATA):
            return Judgement(False, f"{inner} is a cloud metadata address; these are never dialled")
        if any(inner in network for network in _NEVER):
            return Judgement(False, f"{inner} is not the address of a host")
        if (str(inner), port) in forbidden:
            return Judgement(False, f"{inner}:{port} belongs to this installation")
    if not 1 <= port <= 65535:
        return Judgement(False, f"{port} is not a port", is_of_port=True)
    private = [inner for inner in _unwrap(address) if _is_private(inner)]
    for inner in private:
        if not any(inner in network for network in allow):
            return Judgement(
                False,
                f"{address} is not a public address ({inner} is private or reserved)",
                "If this server is meant, the operator adds its network to policy.allow_private_targets.",
            )
    if private:
        return Judgement(True, f"{address} is private, and the operator allowed it")
    if port < 1024 and port not in MAIL_PORTS:
        return Judgement(False, f"port {port} is not one that mail or calendars use", is_of_port=True)
    return Judgement(True, f"{address} is public")


def _ipv4_inside(address: IPAddress) -> IPv4Address | None:
    if not isinstance(address, IPv6Address):
        return None
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.ipv4_mapped


def _unwrap(address: IPAddress) -> Iterator[IPAddress]:
    """The address, and every address that it carries inside."""
    yield address
    if isinstance(address, IPv6Address):
        for inner in _embedded(address):
            yield from _unwrap(inner)


def _embedded(address: IPv6Address) -> Iterator[IPAddress]:
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address in _SIX_TO_FOUR and address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or address in _LOCAL_NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _is_private(address: IPAddress) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _PRIVATE_V4)
    if address.ipv4_mapped is not None or address in _NAT64:
        return False  # judged by the address inside
    return address not in _GLOBAL_V6 or any(address in network for network in _PRIVATE_V6)
