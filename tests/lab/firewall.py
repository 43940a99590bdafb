"""The mail administrator's firewall: nftables in front of the laboratory's servers."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from tests.lab.namespaces import SERVERS, inside, program, run

#: Every TCP port.
ALL_PORTS = (0, 65535)


class Verdict(StrEnum):
    """What happens to a connection attempt."""

    #: It reaches the server.
    ADMIT = "admitted"
    #: Silence, so that the client runs into its time-out.
    DROP = "dropped"
    #: A TCP reset, as from a closed port.
    RESET = "tcp_reset"
    #: ICMP: nothing listens there.
    PORT_UNREACHABLE = "port_unreachable"
    #: ICMP: no way to the host.
    HOST_UNREACHABLE = "host_unreachable"
    #: ICMP: administratively prohibited.
    PROHIBITED = "prohibited"


_STATEMENTS = {
    Verdict.ADMIT: "accept",
    Verdict.DROP: "drop",
    Verdict.RESET: "reject with tcp reset",
    Verdict.PORT_UNREACHABLE: "reject with icmpx type port-unreachable",
    Verdict.HOST_UNREACHABLE: "reject with icmpx type host-unreachable",
    Verdict.PROHIBITED: "reject with icmpx type admin-prohibited",
}

_TABLE = """
table inet lab {{
  map verdicts4 {{ type ipv4_addr . inet_service : verdict; flags interval; }}
  map verdicts6 {{ type ipv6_addr . inet_service : verdict; flags interval; }}
  set silenced4 {{ type ipv4_addr; }}
  set silenced6 {{ type ipv6_addr; }}
  set attempts4 {{ type ipv4_addr . inet_service; size 65535; flags dynamic; counter; }}
  set attempts6 {{ type ipv6_addr . inet_service; size 65535; flags dynamic; counter; }}
  set counted4 {{ type ipv4_addr; size 65535; flags dynamic; }}
  set counted6 {{ type ipv6_addr; size 65535; flags dynamic; }}
  {chains}
  counter over {{ }}
  chain over {{ counter name over; reject with tcp reset; }}
  chain capped {{ }}
  chain rest {{ goto admitted; }}
  chain input {{
    type filter hook input priority 0; policy accept;
    iif lo accept
    meta l4proto != tcp accept
    tcp flags & (fin|syn|rst|ack) == syn update @attempts4 {{ ip saddr . tcp dport }}
    tcp flags & (fin|syn|rst|ack) == syn update @attempts6 {{ ip6 saddr . tcp dport }}
    ip saddr @silenced4 goto dropped
    ip6 saddr @silenced6 goto dropped
    tcp flags & (fin|syn|rst|ack) == syn jump capped
    ct state established,related accept
    ip saddr . tcp dport vmap @verdicts4
    ip6 saddr . tcp dport vmap @verdicts6
    jump rest
  }}
}}
"""

Span: TypeAlias = tuple[int, int, Verdict]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody tried to connect, whether or not he was let in."""

    source: str
    port: int
    #: SYN packets, repetitions included.
    syns: int


class Firewall:
    """Decides by source address and port; the latest word about a pair of them counts.

    It remembers connections, as real ones do: what is established survives a change, except by ``silence``.
    """

    def __init__(self) -> None:
        self._nft_path = program("nft", package="nftables")
        self._rules: dict[str, list[Span]] = {}
        self._silenced: set[str] = set()
        self._rest = Verdict.ADMIT
        self._cap = 0

    def build(self) -> None:
        """Put the rules in place, open."""
        chains = "\n".join(
            f"counter {verdict} {{ }}\n chain {verdict} {{ counter name {verdict}; {statement}; }}"
            for verdict, statement in _STATEMENTS.items()
        )
        self._nft(_TABLE.format(chains=chains))

    def open(self) -> None:
        """Forget every rule and let everyone in."""
        self._rules.clear()
        self._silenced.clear()
        self._rest = Verdict.ADMIT
        self._cap = 0
        self._apply()

    def close(self, how: Verdict = Verdict.DROP) -> None:
        """Forget every rule and let nobody in."""
        self._rules.clear()
        self._rest = how
        self._apply()

    def admit(self, addresses: Iterable[str], ports: Iterable[int] | None = None) -> None:
        """Let these addresses in, on these TCP ports or on all."""
        self._rule(addresses, ports, Verdict.ADMIT)

    def admit_only(self, addresses: Iterable[str], ports: Iterable[int] | None = None) -> None:
        """Let these addresses in, and drop everyone else without a word: an allowlist."""
        self._rules.clear()
        self._rest = Verdict.DROP
        self._rule(addresses, ports, Verdict.ADMIT)

    def drop(self, addresses: Iterable[str], ports: Iterable[int] | None = None) -> None:
        """Answer these addresses with silence."""
        self._rule(addresses, ports, Verdict.DROP)

    def reject(
        self, addresses: Iterable[str], ports: Iterable[int] | None = None, *, how: Verdict = Verdict.RESET
    ) -> None:
        """Answer these addresses with a refusal: a TCP reset, or an ICMP message."""
        self._rule(addresses, ports, how)

    def silence(self, addresses: Iterable[str]) -> None:
        """Drop every packet of these addresses, in connections that exist as well, until ``open`` or ``speak``."""
        self._silenced.update(addresses)
        self._apply()

    def cap(self, connections: int) -> None:
        """Reset whoever has so many connections open already, counted by address over all ports, until ``open``."""
        self._cap = connections
        self._apply()

    def over_cap(self) -> int:
        """How many new connections were one too many since the last ``forget``."""
        return self._counters()["over"]

    def speak(self, addresses: Iterable[str]) -> None:
        """End the silence of these addresses."""
        self._silenced.difference_update(addresses)
        self._apply()

    def attempts(self) -> list[Attempt]:
        """Everyone who tried to connect since the last ``forget``, let in or not."""
        found: list[Attempt] = []
        for name in ("attempts4", "attempts6"):
            listing = json.loads(self._nft_list("set", "inet", "lab", name))
            for item in listing["nftables"]:
                for element in item.get("set", {}).get("elem", []):
                    source, port = element["elem"]["val"]["concat"]
                    found.append(Attempt(source, int(port), element["elem"]["counter"]["packets"]))
        return sorted(found, key=lambda attempt: (attempt.source, attempt.port))

    def sources(self) -> set[str]:
        """The addresses of ``attempts``."""
        return {attempt.source for attempt in self.attempts()}

    def counters(self) -> dict[Verdict, int]:
        """How many new connections' packets met each verdict since the last ``forget``."""
        return {Verdict(name): packets for name, packets in self._counters().items() if name != "over"}

    def forget(self) -> None:
        """Start counting anew; rules stay."""
        self._nft("flush set inet lab attempts4\nflush set inet lab attempts6\nreset counters table inet lab\n")

    def _counters(self) -> dict[str, int]:
        listing = json.loads(self._nft_list("counters", "table", "inet", "lab"))
        counters = [item["counter"] for item in listing["nftables"] if "counter" in item]
        return {counter["name"]: counter["packets"] for counter in counters}

    def _rule(self, addresses: Iterable[str], ports: Iterable[int] | None, verdict: Verdict) -> None:
        spans = [ALL_PORTS] if ports is None else [(port, port) for port in ports]
        for address in addresses:
            known = self._rules.get(address, [])
            for low, high in spans:
                known = overlay(known, (low, high, verdict))
            self._rules[address] = known
        self._apply()

    def _apply(self) -> None:
        lines = [f"flush chain inet lab rest\nadd rule inet lab rest goto {self._rest}"]
        # Each address that is being counted has the cap of its first connection.
        lines.append("flush chain inet lab capped\nflush set inet lab counted4\nflush set inet lab counted6")
        if self._cap:
            lines += [
                f"add rule inet lab capped add @counted{family} {{ {saddr} ct count over {self._cap} }} goto over"
                for family, saddr in (("4", "ip saddr"), ("6", "ip6 saddr"))
            ]
        for family in ("4", "6"):
            silenced = sorted(a for a in self._silenced if (":" in a) == (family == "6"))
            lines += [f"flush set inet lab silenced{family}", f"flush map inet lab verdicts{family}"]
            lines += [f"add element inet lab silenced{family} {{ {address} }}" for address in silenced]
        for address, spans in self._rules.items():
            family = "6" if ":" in address else "4"
            lines += [
                f"add element inet lab verdicts{family} {{ {address} . {low}-{high} : goto {verdict} }}"
                for low, high, verdict in spans
            ]
        self._nft("\n".join(lines) + "\n")

    def _nft(self, script: str) -> None:
        run(*inside(SERVERS), self._nft_path, "-f", "-", stdin=script)

    def _nft_list(self, *what: str) -> str:
        return run(*inside(SERVERS), self._nft_path, "-j", "list", *what)


def overlay(spans: list[Span], new: Span) -> list[Span]:
    """The same port spans with a new one laid over them; spans never overlap."""
    low, high, _ = new
    kept: list[Span] = []
    for start, end, verdict in spans:
        if start < low:
            kept.append((start, min(end, low - 1), verdict))
        if end > high:
            kept.append((max(start, high + 1), end, verdict))
    return sorted([*kept, new])
