"""What the tests of detection hold: a web host and a name server of the laboratory, and detection over real exits."""

import json
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from mooring.applications import Application
from mooring.clock import SystemClock
from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.egress import Berths, Dialer, DialerPolicy, Ledger, SharedResolver
from mooring.net import Endpoint
from mooring.net.records import NameServers
from mooring.providers import Detection
from mooring.store import Database
from tests.lab import DYNAMIC, SERVER_OTHER, STATIC, Certificate, Laboratory
from tests.lab.namespaces import SERVERS, program
from tests.lab.processes import Server
from tests.unit.api.things import V3_APPLICATION

DNS = Endpoint(SERVER_OTHER, 53)
NOWHERE = Endpoint(SERVER_OTHER, 54)
"""Where no name server is; the laboratory's host says so at once."""

Answers = Mapping[str, Mapping[str, Any]]


@dataclass
class WebHost:
    """A web host that runs, and its own word on who asked."""

    server: Server
    since: int = 0

    @property
    def asked(self) -> list[dict[str, Any]]:
        lines = self.server.log(since=self.since)
        return [json.loads(line.removeprefix("asked ")) for line in lines if line.startswith("asked ")]


@contextmanager
def web_host(lab: Laboratory, names: Sequence[str], answers: Answers) -> Generator[WebHost]:
    """A web host for these names, whose certificate is good, at the laboratory's other address."""
    folder = lab.folder("webhost")
    (folder / "answers.json").write_text(json.dumps(answers))
    certificate: Certificate = lab.authority.good(names, label="webhost")
    script = Path(__file__).parents[1] / "lab" / "webhost.py"
    arguments = [SERVER_OTHER, "443", str(certificate.chain), str(certificate.key), str(folder / "answers.json")]
    server = Server("webhost", [sys.executable, str(script), *arguments], ready="web host ready", namespace=SERVERS)
    for name in names:
        lab.names.set(name, SERVER_OTHER)
    server.start()
    try:
        yield WebHost(server)
    finally:
        server.stop()
        for name in names:
            lab.names.set(name)


@contextmanager
def lab_name_server(*records: str) -> Generator[None]:
    """A dnsmasq with these records, at ``DNS``."""
    options = [
        "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=",
        "--log-facility=-", "--pid-file=", f"--listen-address={DNS.host}", "--local=/test/",
    ]  # fmt: skip
    argv = [program("dnsmasq", package="dnsmasq-base"), *options, *(f"--{record}" for record in records)]
    server = Server("dnsmasq", argv, ready=r"started, version", namespace=SERVERS)
    server.start()
    try:
        yield
    finally:
        server.stop()


@dataclass
class Exits:
    """A ledger and dialers of the laboratory's static and dynamic addresses, of both generations."""

    db: Database
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.db, self.clock, timedelta(days=1))

    def detection(self, *, names: Endpoint = NOWHERE, allow: str = "10.99.0.0/16", within_s: float = 8.0) -> Detection:
        policy = DialerPolicy(pools=tuple(_pools()), allow=(ip_network(allow),))
        dialer = Dialer(self.db, self.ledger, self.clock, policy, resolve=SharedResolver(), berths=Berths(20))
        return Detection(dialer, NameServers((names,)), self.clock, within_s=within_s)

    async def dialled(self) -> set[tuple[str, str, str]]:
        """Traffic class, environment and source of everything in the ledger that was dialled."""
        entries = await self.ledger.entries(limit=1000)
        return {(e.traffic, e.environment, e.source_address) for e in entries if e.remote}


@asynccontextmanager
async def exits_over(database: Database) -> AsyncGenerator[Exits]:
    """The exits, and at the end nothing that is still written."""
    exits = Exits(database)
    yield exits
    await exits.ledger.aclose()


def application(generation: Generation = Generation.V3) -> Application:
    """One with the feature off."""
    return replace(V3_APPLICATION, generation=generation)


def _pools() -> Generator[PoolConfig]:
    addresses = {
        (Generation.V3, Kind.STATIC): STATIC[0],
        (Generation.V3, Kind.DYNAMIC): DYNAMIC[0],
        (Generation.V2, Kind.STATIC): STATIC[1],
        (Generation.V2, Kind.DYNAMIC): DYNAMIC[1],
    }
    for (generation, kind), text in addresses.items():
        address = ip_address(text)
        source = SourceConfig(f"{generation}-{kind}", address, Via(Carrier.BIND, local=address))
        yield PoolConfig(EnvironmentName(generation, "us", kind), (source,))
