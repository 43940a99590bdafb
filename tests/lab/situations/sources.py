"""Mooring's side of the situations: the addresses that it leaves from, and the configuration that names them.

There are two configurations. ``WHOLE`` has every exit in order, in two regions and two generations. ``BROKEN`` has one
region for each way in which an exit of our own can fail; what is asked from there says nothing about a server.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

#: v3, region us: what the administrator is told to allow, and what Mooring leaves from before.
STATIC = ("10.99.0.101", "10.99.0.102", "10.99.0.103", "10.99.0.104")
STATIC6 = ("fd99::101", "fd99::102")
DYNAMIC = ("10.99.0.111", "10.99.0.112")
DYNAMIC6 = ("fd99::111", "fd99::112")
#: v2, region us: the list of the other generation.
V2_STATIC = ("10.99.0.121", "10.99.0.122")
V2_STATIC6 = ("fd99::121",)
#: v3, region eu: the lists of the other region.
EU_STATIC = ("10.99.0.131", "10.99.0.132")
EU_STATIC6 = ("fd99::131",)
EU_DYNAMIC = ("10.99.0.141",)
EU_DYNAMIC6 = ("fd99::141",)

#: The list that an administrator who did it all right has put in, and everyone that he has not.
LISTED = (*STATIC, *STATIC6)
UNLISTED = (*DYNAMIC, *DYNAMIC6, *V2_STATIC, *V2_STATIC6, *EU_STATIC, *EU_STATIC6, *EU_DYNAMIC, *EU_DYNAMIC6)

#: The exits that fail, and beside each the one of its region that works.
LOST = "10.99.0.151"
BESIDE_LOST = "10.99.0.152"
HOLE = "10.99.0.153"
BESIDE_HOLE = "10.99.0.154"
STATIC_HOLE = "10.99.0.155"
BESIDE_STATIC_HOLE = "10.99.0.156"
BOTH_HOLES = ("10.99.0.157", "10.99.0.158")
NO_ROUTE6 = "fd99::151"
BESIDE_NO_ROUTE6 = "fd99::152"
BESIDE_PROXIES = ("10.99.0.161", "10.99.0.162", "10.99.0.163")
#: Published for proxies: one where nobody listens, one without a way out, one whose way out swallows everything.
DEAD_PROXY = "10.99.1.50"
CUT_OFF_PROXY = "10.99.1.51"
SWALLOWED_PROXY = "10.99.1.52"
PROXIES = (DEAD_PROXY, CUT_OFF_PROXY, SWALLOWED_PROXY)

#: Swallowed on their way, whomever they speak to.
HOLES = (HOLE, STATIC_HOLE, *BOTH_HOLES)

#: On Mooring's interface. LOST is taken away again by ``Situations.lose``, as no Mooring starts without it.
BOUND = (
    *LISTED,
    *UNLISTED,
    LOST,
    BESIDE_LOST,
    *HOLES,
    BESIDE_HOLE,
    BESIDE_STATIC_HOLE,
    NO_ROUTE6,
    BESIDE_NO_ROUTE6,
    *BESIDE_PROXIES,
)


class Site(StrEnum):
    """Which configuration a question is asked from."""

    WHOLE = "whole"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Pool:
    """One environment's sources.

    Attributes:
        proxied: addresses of ``addresses`` that a SOCKS5 proxy of the same address leaves from.
    """

    generation: str
    region: str
    kind: str
    addresses: tuple[str, ...]
    proxied: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        """As Mooring names it: ``v3-us-static``."""
        return f"{self.generation}-{self.region}-{self.kind}"

    def toml(self) -> str:
        """Its sources and itself, for ``mooring.toml``."""
        names = [f"{self.environment}-{number}" for number, _ in enumerate(self.addresses, start=1)]
        parts: list[str] = []
        for name, address in zip(names, self.addresses, strict=True):
            via = f"socks5://{address}:1080" if address in self.proxied else "bind"
            parts.append(f'[[egress.source]]\nname = "{name}"\naddress = "{address}"\nvia = "{via}"\n')
        parts.append(
            f'[[egress.pool]]\ngeneration = "{self.generation}"\nregion = "{self.region}"\nkind = "{self.kind}"\n'
            f"sources = {json.dumps(names)}\n"
        )
        return "\n".join(parts)


def _region(name: str, static: str, dynamic: str, *, proxied: Sequence[str] = ()) -> tuple[Pool, Pool]:
    return Pool("v3", name, "static", (static,)), Pool("v3", name, "dynamic", (dynamic,), tuple(proxied))


POOLS: dict[Site, tuple[Pool, ...]] = {
    Site.WHOLE: (
        Pool("v3", "us", "static", LISTED),
        Pool("v3", "us", "dynamic", (*DYNAMIC, *DYNAMIC6)),
        Pool("v2", "us", "static", (*V2_STATIC, *V2_STATIC6)),
        Pool("v3", "eu", "static", (*EU_STATIC, *EU_STATIC6)),
        Pool("v3", "eu", "dynamic", (*EU_DYNAMIC, *EU_DYNAMIC6)),
    ),
    Site.BROKEN: (
        *_region("lost", BESIDE_LOST, LOST),
        *_region("hole", BESIDE_HOLE, HOLE),
        *_region("statichole", STATIC_HOLE, BESIDE_STATIC_HOLE),
        *_region("holes", *BOTH_HOLES),
        *_region("noroute", BESIDE_NO_ROUTE6, NO_ROUTE6),
        *_region("deadproxy", BESIDE_PROXIES[0], DEAD_PROXY, proxied=[DEAD_PROXY]),
        *_region("cutoff", BESIDE_PROXIES[1], CUT_OFF_PROXY, proxied=[CUT_OFF_PROXY]),
        *_region("swallowed", BESIDE_PROXIES[2], SWALLOWED_PROXY, proxied=[SWALLOWED_PROXY]),
    ),
}

#: Where everyone is welcome, so that who cannot reach it has a broken exit of his own.
CONTROL = "10.99.2.1"
CONTROL6 = "fd99:2::1"
CONTROL_PORT = 993
CONTROL_TARGETS = (f"{CONTROL}:{CONTROL_PORT}", f"[{CONTROL6}]:{CONTROL_PORT}")


def configuration(site: Site, port: int, *, policy: str = "", extra: str = "") -> str:
    """A ``mooring.toml`` with the pools of a site.

    Args:
        policy: more lines of its section.
        extra: more sections, such as the one that names ``CONTROL_TARGETS``.
    """
    parts = [
        f'[server]\nlisten = "127.0.0.1:{port}"\nrate_limits = false\n',
        f'[policy]\nallow_private_targets = ["10.0.0.0/8", "fd99::/16"]\n{policy}',
        extra,
        *(pool.toml() for pool in POOLS[site]),
    ]
    return "\n".join(parts)
