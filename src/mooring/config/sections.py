"""The sections of ``mooring.toml`` as they are written: names, shapes and defaults, not yet what they mean."""

from typing import Annotated

import msgspec

from mooring.config.egress import RawPool, RawSource
from mooring.config.types import MigrationMode, StaticIpsPolicy

Positive = Annotated[int, msgspec.Meta(ge=1)]
Shared = Annotated[int, msgspec.Meta(ge=2)]
"""Of two parts, neither of which can do without."""


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pass


class Server(Section, frozen=True):
    listen: str = "127.0.0.1:8025"
    public_url: str = ""
    rate_limits: bool = True
    tls_certificate: str = ""
    tls_key: str = ""


class Database(Section, frozen=True):
    url: str = "embedded:./data"


class Objects(Section, frozen=True):
    url: str = ""


class Egress(Section, frozen=True):
    source: list[RawSource] = []
    pool: list[RawPool] = []


class Modes(Section, frozen=True):
    v2: MigrationMode = MigrationMode.STAGED
    v3: MigrationMode = MigrationMode.DIRECT


class Policy(Section, frozen=True):
    static_ips: StaticIpsPolicy = StaticIpsPolicy.OPERATOR
    staged_delay: str = "30m"
    migration_mode: Modes = Modes()
    subset: Positive = 2
    connections_per_source_and_server: Shared = 20
    allow_private_targets: list[str] = []


class Security(Section, frozen=True):
    key_file: str = "./mooring.keys"


class Sync(Section, frozen=True):
    window: str = "90d"


class Workers(Section, frozen=True):
    lease: str = "5s"


class Detection(Section, frozen=True):
    ispdb: str = ""


class Ledger(Section, frozen=True):
    retention: str = "90d"


class Diagnosis(Section, frozen=True):
    control_targets: list[str] = []
    foreign_pools: bool = True
    watch_every: str = "90s"
    watch_again: str = "6h"


class File(Section, frozen=True):
    server: Server = Server()
    database: Database = Database()
    objects: Objects = Objects()
    egress: Egress = Egress()
    policy: Policy = Policy()
    security: Security = Security()
    sync: Sync = Sync()
    workers: Workers = Workers()
    ledger: Ledger = Ledger()
    diagnosis: Diagnosis = Diagnosis()
    detection: Detection = Detection()
