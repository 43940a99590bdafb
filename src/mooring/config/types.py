"""The configuration as frozen values; each room is handed only its own section.

The names are those of ``mooring.toml``. Durations are time deltas, paths are absolute, networks and
addresses are parsed: whoever holds a section never parses again.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_REGION = re.compile(r"[a-z0-9]+")


class Generation(StrEnum):
    """Which API's applications a pool serves; ``webhook`` is the pool that deliveries leave by."""

    V2 = "v2"
    V3 = "v3"
    WEBHOOK = "webhook"


class Kind(StrEnum):
    """Where traffic leaves from: addresses that change, or the short published list that does not."""

    DYNAMIC = "dynamic"
    STATIC = "static"


class StaticIpsPolicy(StrEnum):
    """Who switches static IPs on for an application (spec S8, S8b)."""

    OPERATOR = "operator"
    SELF_SERVE = "self-serve"


class MigrationMode(StrEnum):
    """How an account moves: make-before-break, or in the articles' two steps (spec B8)."""

    DIRECT = "direct"
    STAGED = "staged"


class Carrier(StrEnum):
    """How a source gets its address onto the wire."""

    BIND = "bind"
    SOCKS5 = "socks5"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Via:
    """One way out, as the operator wrote it.

    Attributes:
        local: the address to bind (``bind`` only); the published one, unless a NAT maps it.
        host, port: the proxy.
        username, password: the proxy's credentials, or "".
    """

    carrier: Carrier
    local: IPAddress | None = None
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        if self.carrier is Carrier.BIND:
            return f"bind:{self.local}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.carrier}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """``[[egress.source]]``: one way out, which the far side sees as ``address``."""

    name: str
    address: IPAddress
    via: Via
    weight: int = 1


def is_region(name: str) -> bool:
    """Whether this can be a region: small letters and digits, which no other part of an environment's name needs."""
    return _REGION.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentName:
    """One environment: generation, region and kind. Written ``v3-us-static``."""

    generation: Generation
    region: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.generation}-{self.region}-{self.kind}"


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """``[[egress.pool]]``: the weighted sources of one environment, never empty."""

    environment: EnvironmentName
    sources: tuple[SourceConfig, ...]


@dataclass(frozen=True, slots=True)
class EgressConfig:
    """``[egress]``."""

    sources: tuple[SourceConfig, ...] = ()
    pools: tuple[PoolConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the API shows to those who connect: files in PEM form, the certificate with its chain."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """``[server]``: where the API listens, what the outside calls it, and whether it refuses who calls too often.

    Attributes:
        tls: None where the API speaks plain HTTP, on the loopback or behind a proxy.
    """

    host: str = "127.0.0.1"
    port: int = 8025
    public_url: str = "http://127.0.0.1:8025"
    rate_limits: bool = True
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """``[database]``: an embedded cluster in a folder of ours, or somebody's PostgreSQL.

    Attributes:
        embedded: the data folder, or None.
        url: ``postgresql://…``, or "" when embedded.
    """

    embedded: Path | None = None
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """``[policy]``: what the operator decided."""

    static_ips: StaticIpsPolicy = StaticIpsPolicy.OPERATOR
    staged_delay: timedelta = timedelta(minutes=30)
    migration_mode_v2: MigrationMode = MigrationMode.STAGED
    migration_mode_v3: MigrationMode = MigrationMode.DIRECT
    subset: int = 2
    connections_per_source_and_server: int = 20
    allow_private_targets: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlTarget:
    """A host and port that answers whoever connects, so that a source that it does not answer is known to be broken."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DiagnosisConfig:
    """``[diagnosis]``: what probes may use.

    Attributes:
        control_targets: asked in order, until one answers.
        foreign_pools: whether probes may also leave from other regions' and generations' pools, up to the greeting.
        watch_every: how often a watch looks at first, on average.
        watch_again: how often once all is open.
    """

    control_targets: tuple[ControlTarget, ...] = ()
    foreign_pools: bool = True
    watch_every: timedelta = timedelta(seconds=90)
    watch_again: timedelta = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that ``mooring.toml`` and the environment say.

    Attributes:
        path: the file it was read from; relative paths in it are relative to its folder.
        objects: where message bodies live, as an object-store URL.
        key_file: the key ring.
        window: how far back mail is copied.
        lease: how long a holder may be silent before its mailboxes are taken over.
        retention: how long ledger entries are kept.
        ispdb: where autoconfig files of other people's domains are looked for, an https address; "" for nowhere.
    """

    path: Path
    server: ServerConfig
    database: DatabaseConfig
    egress: EgressConfig
    policy: PolicyConfig
    objects: str
    key_file: Path
    window: timedelta
    lease: timedelta
    retention: timedelta
    diagnosis: DiagnosisConfig = DiagnosisConfig()
    ispdb: str = ""
