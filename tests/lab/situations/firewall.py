"""The firewalls of all situations at once: one chain of nftables for each, chosen by the address that is dialled."""

from collections.abc import Iterable, Mapping, Sequence

from tests.lab.namespaces import PROXIES, SERVERS, inside, program, run
from tests.lab.situations import sources
from tests.lab.situations.rules import Rule

_TABLE = """
table inet situations {{
  set counted4 {{ type ipv4_addr . ipv4_addr; size 65535; flags dynamic; }}
  set counted6 {{ type ipv6_addr . ipv6_addr; size 65535; flags dynamic; }}
  set down {{ type ipv4_addr; }}
  {chains}
  chain input {{
    # After the laboratory's own firewall.
    type filter hook input priority 10; policy accept;
    iif lo accept
    meta l4proto != tcp accept
    tcp flags & (fin|syn|rst|ack) != syn accept
    ip daddr @down drop
    {four}
    {six}
  }}
}}
"""

_HOLES = """
table ip situations {{
  chain output {{
    type filter hook output priority 0; policy accept;
    ip saddr {{ {holes} }} drop
  }}
}}
"""

#: The proxies themselves can be spoken to; what they begin themselves goes nowhere.
_WITHOUT_A_WAY_OUT = """
table ip situations {{
  chain output {{
    type filter hook output priority 0; policy accept;
    tcp flags & (fin|syn|rst|ack) != syn accept
    ip saddr {cut_off} reject with icmp type net-unreachable
    ip saddr {swallowed} drop
  }}
}}
"""


def write_rules(rules: Mapping[str, Sequence[Rule]]) -> None:
    """Put the filters in place.

    Args:
        rules: by the address of a server.
    """
    nft = program("nft", package="nftables")
    chains: list[str] = []
    jumps: dict[int, list[str]] = {4: [], 6: []}
    for number, (address, filters) in enumerate(rules.items()):
        family = 6 if ":" in address else 4
        lines = [text for rule in filters if (text := rule.nft(family))]
        if lines:
            chains.append(f"chain to{number} {{\n    {chr(10).join(lines)}\n  }}")
            jumps[family].append(f"{address} : jump to{number}")
    table = _TABLE.format(
        chains="\n  ".join(chains), four=_vmap("ip daddr", jumps[4]), six=_vmap("ip6 daddr", jumps[6])
    )
    run(*inside(SERVERS), nft, "-f", "-", stdin=table)


def write_holes() -> None:
    """Swallow what leaves by ``sources.HOLES``, and what two of the proxies send on."""
    nft = program("nft", package="nftables")
    run(nft, "-f", "-", stdin=_HOLES.format(holes=", ".join(sources.HOLES)))
    cut = _WITHOUT_A_WAY_OUT.format(cut_off=sources.CUT_OFF_PROXY, swallowed=sources.SWALLOWED_PROXY)
    run(*inside(PROXIES), nft, "-f", "-", stdin=cut)


def write_down(addresses: Iterable[str]) -> None:
    """Let these servers drop every SYN, and no others."""
    script = "flush set inet situations down\n"
    script += "".join(f"add element inet situations down {{ {address} }}\n" for address in addresses)
    run(*inside(SERVERS), program("nft", package="nftables"), "-f", "-", stdin=script)


def remove() -> None:
    """Take every filter of the situations away."""
    nft = program("nft", package="nftables")
    run(*inside(SERVERS), nft, "delete table inet situations")
    run(nft, "delete table ip situations")
    run(*inside(PROXIES), nft, "delete table ip situations")


def _vmap(by: str, jumps: Iterable[str]) -> str:
    listed = ", ".join(jumps)
    return f"{by} vmap {{ {listed} }}" if listed else ""
