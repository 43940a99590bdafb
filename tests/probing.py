"""A prober over the real dialer, and probes to give to it; what it tells on the way is kept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from mooring.clock import SystemClock
from mooring.config import Carrier, ControlTarget, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.diagnosis.probes.prober import NetworkProber
from mooring.diagnosis.probes.walk import Limits
from mooring.diagnosis.progress import Passed, Progress
from mooring.diagnosis.types import Depth, Exit, Observation, Probe, Question, Secrets, Service, Stage, Target, Vantage
from mooring.egress import Berths, Dialer, DialerPolicy, Ledger, SharedResolver
from mooring.egress.carriers import Resolver
from mooring.egress.types import Timeouts
from mooring.grants import TlsMode
from mooring.store import Database

PORTS = {Service.IMAP: 993, Service.SMTP: 465, Service.CALDAV: 443}
ALLOWED = tuple(map(ip_network, ("127.0.0.0/8", "::1/128", "10.99.0.0/16", "fd99::/16")))

MayLogin = Callable[[], Awaitable[bool]]


async def yes() -> bool:
    """Leave to log in."""
    return True


async def no() -> bool:
    """No leave."""
    return False


def bound(name: str, address: str) -> SourceConfig:
    return SourceConfig(name, ip_address(address), Via(Carrier.BIND, local=ip_address(address)))


@dataclass
class Probing:
    """A prober whose pools are named by vantage, each with sources of the given addresses.

    Attributes:
        told: what the prober told while it worked.
    """

    database: Database
    ledger: Ledger
    pools: Mapping[Vantage, Sequence[str | SourceConfig]]
    targets: Sequence[ControlTarget] = ()
    resolve: Resolver | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(connect_s=3.0, tls_s=3.0))
    limits: Limits = field(default_factory=Limits)
    berths: Berths = field(default_factory=lambda: Berths(20))
    told: list[Progress] = field(default_factory=list[Progress])

    def __post_init__(self) -> None:
        self.exits: dict[str, Exit] = {}
        pools: list[PoolConfig] = []
        for vantage, sources in self.pools.items():
            environment = _ENVIRONMENTS[vantage]
            made = [s if isinstance(s, SourceConfig) else bound(f"{vantage}-{s}", s) for s in sources]
            pools.append(PoolConfig(environment, tuple(made)))
            for source in made:
                address = str(source.address)
                self.exits[source.name] = Exit(vantage, str(environment), source.name, address)
                self.exits.setdefault(address, self.exits[source.name])
        clock = SystemClock()
        self.dialer = Dialer(
            self.database, self.ledger, clock, DialerPolicy(tuple(pools), allow=ALLOWED),
            resolve=self.resolve or SharedResolver(), berths=self.berths, timeouts=self.timeouts,
        )  # fmt: skip
        self.prober = NetworkProber(self.dialer, self.ledger, clock, pools, self.targets, self.limits, private=ALLOWED)

    async def observe(
        self,
        service: Service,
        host: str,
        address: str,
        source: str,
        *,
        port: int | None = None,
        tls: TlsMode | None = None,
        login: tuple[str, str] | None = None,
        email: str = "",
        path: str = "",
        may_login: MayLogin = yes,
    ) -> Observation:
        """One probe; with a login if one is given."""
        username, password = login or ("", "")
        target = Target(service, host, port or PORTS[service], tls, username, path)
        depth = Depth.FULL if login else Depth.GREETING
        probe = Probe(7, self.exits[source], target, address, depth)
        secrets = Secrets({service: password} if login else {})
        return await self.prober.observe(
            question(target, email=email), probe, secrets, may_login=may_login, tell=self.told.append
        )

    @property
    def passed(self) -> list[Stage]:
        """The stages that were told of, in order."""
        return [told.step.stage for told in self.told if isinstance(told, Passed)]


def question(*targets: Target, email: str = "") -> Question:
    return Question("application", "v3", "us", "subject", targets, email=email)


_ENVIRONMENTS = {
    Vantage.STATIC: EnvironmentName(Generation.V3, "us", Kind.STATIC),
    Vantage.DYNAMIC: EnvironmentName(Generation.V3, "us", Kind.DYNAMIC),
    Vantage.OTHER_GENERATION: EnvironmentName(Generation.V2, "us", Kind.STATIC),
    Vantage.OTHER_REGION: EnvironmentName(Generation.V3, "eu", Kind.STATIC),
    Vantage.OTHER_REGION_DYNAMIC: EnvironmentName(Generation.V3, "eu", Kind.DYNAMIC),
}
