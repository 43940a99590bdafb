"""What a firewall does with a new connection to one situation's addresses: data, and its words in nftables."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class How(StrEnum):
    """What becomes of a SYN, in nftables' own words."""

    ADMIT = "accept"
    DROP = "drop"
    RESET = "reject with tcp reset"

    #: IPv4; the comments are ICMP's type 3 and its code
    NET_UNREACHABLE = "reject with icmp type net-unreachable"  # 0
    HOST_UNREACHABLE = "reject with icmp type host-unreachable"  # 1
    PORT_UNREACHABLE = "reject with icmp type port-unreachable"  # 3
    NET_PROHIBITED = "reject with icmp type net-prohibited"  # 9
    HOST_PROHIBITED = "reject with icmp type host-prohibited"  # 10
    ADMIN_PROHIBITED = "reject with icmp type admin-prohibited"  # 13

    #: IPv6; the comments are ICMPv6's type 1 and its code
    NO_ROUTE6 = "reject with icmpv6 type no-route"  # 0
    ADMIN_PROHIBITED6 = "reject with icmpv6 type admin-prohibited"  # 1
    PORT_UNREACHABLE6 = "reject with icmpv6 type port-unreachable"  # 4
    POLICY_FAIL6 = "reject with icmpv6 type policy-fail"  # 5
    REJECT_ROUTE6 = "reject with icmpv6 type reject-route"  # 6

    @property
    def family(self) -> int:
        """The one that it is for: 4 or 6; 0 for both."""
        if "icmpv6" in self:
            return 6
        return 4 if "icmp " in self else 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a filter; the first that matches a SYN decides, and what no line matches comes in.

    Attributes:
        sources: who is meant; none means everyone.
        ports: none means all.
        packets: of a hundred SYNs so many are meant, each by chance.
        connections: of a hundred connections so many are meant; a SYN that is sent again shares the first one's fate.
        over: only who has more connections open than this; 0: whoever.
    """

    how: How
    sources: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    packets: int = 100
    connections: int = 100
    over: int = 0

    def nft(self, family: int) -> str:
        """As a rule of a chain that only SYNs to the situation's address of this family reach; "" if it is of another.

        A rule with ``over`` counts in the set ``counted4`` or ``counted6``.
        """
        saddr = "ip saddr" if family == 4 else "ip6 saddr"
        meant = [source for source in self.sources if (":" in source) == (family == 6)]
        if self.how.family not in {0, family} or (self.sources and not meant):
            return ""
        parts: list[str] = []
        if meant:
            parts.append(f"{saddr} {{ {', '.join(meant)} }}")
        if self.ports:
            parts.append(f"tcp dport {{ {', '.join(map(str, self.ports))} }}")
        if self.packets < 100:
            parts.append(f"numgen random mod 100 < {self.packets}")
        if self.connections < 100:
            parts.append(f"jhash {saddr} . tcp sport . tcp dport mod 100 < {self.connections}")
        if self.over:
            daddr = saddr.replace("saddr", "daddr")
            parts.append(f"add @counted{family} {{ {saddr} . {daddr} ct count over {self.over} }}")
        return " ".join([*parts, self.how])


def admit(sources: Iterable[str] = (), *ports: int) -> Rule:
    """Let these in."""
    return Rule(How.ADMIT, tuple(sources), ports)


def drop(sources: Iterable[str] = (), *ports: int) -> Rule:
    """Answer these with silence."""
    return Rule(How.DROP, tuple(sources), ports)


def reject(how: How, sources: Iterable[str] = (), *ports: int) -> Rule:
    """Answer these with a refusal."""
    return Rule(how, tuple(sources), ports)
