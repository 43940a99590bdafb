"""Reading ``mooring.toml``: every refusal names the line and the remedy."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import msgspec

from mooring.config.durations import parse_duration
from mooring.config.egress import RawPool, RawSource, read_egress
from mooring.config.lines import line_of
from mooring.config.types import (
    Config,
    DatabaseConfig,
    IPNetwork,
    MigrationMode,
    PolicyConfig,
    ServerConfig,
    StaticIpsPolicy,
)
from mooring.errors import ConfigError

ENVIRONMENT_PREFIX = "MOORING_"
"""``MOORING_SERVER_LISTEN`` stands over ``[server] listen``, and so on for every single-valued key."""

Positive = Annotated[int, msgspec.Meta(ge=1)]


class _Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pass


class _Server(_Section, frozen=True):
    listen: str = "127.0.0.1:8025"
    public_url: str = ""


class _Database(_Section, frozen=True):
    url: str = "embedded:./data"


class _Objects(_Section, frozen=True):
    url: str = ""


class _Egress(_Section, frozen=True):
    source: list[RawSource] = []
    pool: list[RawPool] = []


class _Modes(_Section, frozen=True):
    v2: MigrationMode = MigrationMode.STAGED
    v3: MigrationMode = MigrationMode.DIRECT


class _Policy(_Section, frozen=True):
    static_ips: StaticIpsPolicy = StaticIpsPolicy.OPERATOR
    staged_delay: str = "30m"
    migration_mode: _Modes = _Modes()
    subset: Positive = 2
    connections_per_source_and_server: Positive = 20
    allow_private_targets: list[str] = []


class _Security(_Section, frozen=True):
    key_file: str = "./mooring.keys"


class _Sync(_Section, frozen=True):
    window: str = "90d"


class _Workers(_Section, frozen=True):
    lease: str = "5s"


class _Ledger(_Section, frozen=True):
    retention: str = "90d"


class _File(_Section, frozen=True):
    server: _Server = _Server()
    database: _Database = _Database()
    objects: _Objects = _Objects()
    egress: _Egress = _Egress()
    policy: _Policy = _Policy()
    security: _Security = _Security()
    sync: _Sync = _Sync()
    workers: _Workers = _Workers()
    ledger: _Ledger = _Ledger()


class Source:
    """A TOML text and where it came from: what a refusal points into."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text

    def refuse(self, where: tuple[str | int, ...], message: str, hint: str = "") -> ConfigError:
        """The error for ``where``: file, line, what is wrong, and the remedy."""
        name = ".".join(str(part) for part in where if isinstance(part, str))
        return ConfigError(f"{self.path}, line {line_of(self.text, where)}: {name}: {message}", hint=hint)


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in ``path`` with the environment's variables over it.

    Raises:
        ConfigError: naming the file, the line, what is wrong and what to do about it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}", hint="Run `mooring egress init` to write one.") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path} is not UTF-8 text.") from e
    source = Source(path, text)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path} is not valid TOML: {e}") from e
    _overlay(tree, environ)
    return _build(source, _convert(source, tree))


def _overlay(tree: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put ``MOORING_SECTION_KEY`` over what the file says; numbers are read as numbers."""
    for section in _File.__struct_fields__:
        for key in _keys_of(section):
            if (value := environ.get(f"{ENVIRONMENT_PREFIX}{section}_{key}".upper())) is not None:
                table = cast(dict[str, Any], tree.setdefault(section, {}))
                if key == "allow_private_targets":
                    table[key] = [item.strip() for item in value.split(",") if item.strip()]
                else:
                    table[key] = int(value) if value.isdigit() else value


def _convert(source: Source, tree: dict[str, Any]) -> _File:
    try:
        return msgspec.convert(tree, _File)
    except msgspec.ValidationError as e:
        message, _, at = str(e).partition(" - at `$")
        where = tuple(int(p) if p.isdigit() else p for p in re.findall(r"[A-Za-z0-9_]+", at.rstrip("`")))
        hint = ""
        if unknown := re.search(r"unknown field `(.+?)`", message):
            where = (*where, unknown[1])
            message = "there is no such key"
            hint = _suggest(where)
        raise source.refuse(where, message, hint) from e


def _suggest(where: tuple[str | int, ...]) -> str:
    """The keys that exist at this place, the likeliest first."""
    words = [part for part in where if isinstance(part, str)]
    known = _known_keys(words[:-1])
    close = get_close_matches(words[-1], known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"The keys here are: {', '.join(known)}."


def _known_keys(table: list[str]) -> list[str]:
    match table:
        case ["egress", "source"]:
            return list(RawSource.__struct_fields__)
        case ["egress", "pool"]:
            return list(RawPool.__struct_fields__)
        case ["policy", "migration_mode"]:
            return list(_Modes.__struct_fields__)
        case [section]:
            return _keys_of(section)
        case _:
            return list(_File.__struct_fields__)


def _keys_of(section: str) -> list[str]:
    defaults: _Section = getattr(_File(), section)
    return list(defaults.__struct_fields__)


def _build(source: Source, file: _File) -> Config:
    base = source.path.resolve().parent
    database = _database(source, base, file.database)
    host, port = _listen(source, file.server.listen)
    data = database.embedded or base / "data"
    return Config(
        path=source.path.resolve(),
        server=ServerConfig(host, port, file.server.public_url or f"http://{file.server.listen}"),
        database=database,
        egress=read_egress(file.egress.source, file.egress.pool, source.refuse),
        policy=_policy(source, file.policy),
        objects=_objects(base, data, file.objects.url),
        key_file=(base / file.security.key_file).resolve(),
        window=_duration(source, ("sync", "window"), file.sync.window),
        lease=_duration(source, ("workers", "lease"), file.workers.lease),
        retention=_duration(source, ("ledger", "retention"), file.ledger.retention),
    )


def _duration(source: Source, where: tuple[str, ...], text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as e:
        raise source.refuse(where, str(e)) from e


def _listen(source: Source, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise source.refuse(("server", "listen"), f"{text!r} is not host:port, such as 127.0.0.1:8025")
    return host.strip("[]"), int(port)


def _database(source: Source, base: Path, section: _Database) -> DatabaseConfig:
    if section.url.startswith("embedded:"):
        return DatabaseConfig(embedded=(base / section.url.removeprefix("embedded:")).resolve())
    if urlsplit(section.url).scheme in {"postgresql", "postgres"}:
        return DatabaseConfig(url=section.url)
    raise source.refuse(("database", "url"), "this is neither embedded:FOLDER nor postgresql://…")


def _objects(base: Path, data: Path, url: str) -> str:
    if not url:
        return (data / "objects").as_uri()
    if url.startswith("file:"):
        return (base / url.removeprefix("file://").removeprefix("file:")).resolve().as_uri()
    return url


def _policy(source: Source, section: _Policy) -> PolicyConfig:
    networks: list[IPNetwork] = []
    for text in section.allow_private_targets:
        try:
            networks.append(ip_network(text))
        except ValueError as e:
            raise source.refuse(("policy", "allow_private_targets"), f"{e}; write CIDR, such as 10.0.0.0/8") from e
    return PolicyConfig(
        static_ips=section.static_ips,
        staged_delay=_duration(source, ("policy", "staged_delay"), section.staged_delay),
        migration_mode_v2=section.migration_mode.v2,
        migration_mode_v3=section.migration_mode.v3,
        subset=section.subset,
        connections_per_source_and_server=section.connections_per_source_and_server,
        allow_private_targets=tuple(networks),
    )
