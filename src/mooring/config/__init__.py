"""What the operator decided: ``mooring.toml``, environment variables over it, checked as a whole.

Nothing here touches the network or the database, and nobody imports a global of it: each room is
handed its own section. Start at ``types.py`` for the shapes, ``loader.py`` for how they come about.
"""

from mooring.config.durations import parse_duration
from mooring.config.loader import load_config
from mooring.config.starter import Host, is_starter, starter_toml
from mooring.config.types import (
    Carrier,
    Config,
    ControlTarget,
    DatabaseConfig,
    DiagnosisConfig,
    EgressConfig,
    EnvironmentName,
    Generation,
    IPAddress,
    IPNetwork,
    Kind,
    MigrationMode,
    PolicyConfig,
    PoolConfig,
    ServerConfig,
    SourceConfig,
    StaticIpsPolicy,
    Via,
    is_region,
)

__all__ = [
    "Carrier",
    "Config",
    "ControlTarget",
    "DatabaseConfig",
    "DiagnosisConfig",
    "EgressConfig",
    "EnvironmentName",
    "Generation",
    "Host",
    "IPAddress",
    "IPNetwork",
    "Kind",
    "MigrationMode",
    "PolicyConfig",
    "PoolConfig",
    "ServerConfig",
    "SourceConfig",
    "StaticIpsPolicy",
    "Via",
    "is_region",
    "is_starter",
    "load_config",
    "parse_duration",
    "starter_toml",
]
