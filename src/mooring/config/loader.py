"""Reading ``mooring.toml``: every refusal names the line and the remedy."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import msgspec

from mooring.config.durations import parse_duration
from mooring.config.egress import RawPool, RawSource, read_egress
from mooring.config.lines import line_of
from mooring.config.sections import Database, Diagnosis, File, Modes, Policy, Section, Server
from mooring.config.tls import read_tls
from mooring.config.types import (
    Config,
    ControlTarget,
    DatabaseConfig,
    DiagnosisConfig,
    Generation,
    IPNetwork,
    Kind,
    MigrationMode,
    PolicyConfig,
    ServerConfig,
    StaticIpsPolicy,
)
from mooring.errors import ConfigError

ENVIRONMENT_PREFIX = "MOORING_"
"""``MOORING_SERVER_LISTEN`` stands over ``[server] listen``, and so on for every single-valued key."""

_REFERENCE = "docs/configuration.md explains every key."

_WORDS: dict[str, tuple[str, ...]] = {
    "generation": tuple(Generation),
    "kind": tuple(Kind),
    "static_ips": tuple(StaticIpsPolicy),
    "v2": tuple(MigrationMode),
    "v3": tuple(MigrationMode),
}
"""What the keys that take one of a few words take."""


class Source:
    """A TOML text and where it came from: what a refusal points into.

    Attributes:
        variables: for what an environment variable says instead of the text, its name.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.variables: dict[tuple[str, str], str] = {}

    def refuse(self, where: tuple[str | int, ...], message: str, hint: str = "") -> ConfigError:
        """The error for ``where``: file and line (or the variable), what is wrong, and the remedy."""
        name = ".".join(str(part) for part in where if isinstance(part, str))
        for (section, key), variable in self.variables.items():
            if where[:2] == (section, key):
                return ConfigError(f"the environment variable {variable} ({name}): {message}", hint=hint or _REFERENCE)
        line = line_of(self.text, where)
        return ConfigError(f"{self.path}, line {line}: {name}: {message}", hint=hint or _REFERENCE)


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in ``path`` with the environment's variables over it.

    Raises:
        ConfigError: naming the file, the line, what is wrong and what to do about it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        raise ConfigError(
            f"there is no {path}", hint="Run `mooring egress init` to write one, or say where it is with --config."
        ) from e
    except OSError as e:
        raise ConfigError(f"{path} cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: this is not UTF-8 text", hint="Save the file as UTF-8.") from e
    source = Source(path, text)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise _not_toml(path, text, str(e)) from e
    _overlay(source, tree, environ)
    return _build(source, _convert(source, tree))


def _not_toml(path: Path, text: str, message: str) -> ConfigError:
    """The parser's error with its place in front, as all others have it."""
    what, _, at = message.partition(" (at line ")
    line = at.partition(",")[0] if at else str(len(text.splitlines()) or 1)
    return ConfigError(
        f"{path}, line {line}: this is not TOML: {what.partition(' (at end')[0]}",
        hint='Texts stand in quotes, as in listen = "127.0.0.1:8025".',
    )


def _overlay(source: Source, tree: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put ``MOORING_SECTION_KEY`` over what the file says."""
    known: set[str] = set()
    for section in File.__struct_fields__:
        for key, default in _single_valued(section).items():
            variable = f"{ENVIRONMENT_PREFIX}{section}_{key}".upper()
            known.add(variable)
            if (value := environ.get(variable)) is None:
                continue
            table = tree.setdefault(section, {})
            if not isinstance(table, dict):
                raise source.refuse((section,), "this is a table", f"Write [{section}], and the keys below it.")
            cast(dict[str, Any], table)[key] = _read(value, default)
            source.variables[section, key] = variable
    sections = tuple(f"{ENVIRONMENT_PREFIX}{section}_".upper() for section in File.__struct_fields__)
    for variable in sorted(environ.keys() - known):
        if variable.startswith(sections):
            raise ConfigError(f"the environment variable {variable} stands for no key", hint=_REFERENCE)


def _single_valued(section: str) -> dict[str, object]:
    """The keys of a section that one variable can hold, with their defaults."""
    defaults: object = getattr(File(), section)
    values = {key: getattr(defaults, key) for key in _keys_of(section)}
    return {} if section == "egress" else {k: v for k, v in values.items() if not isinstance(v, Section)}


def _read(value: str, default: object) -> object:
    """A variable's text as the kind of thing that its key takes; where it is not one, the text, to be refused."""
    match default:
        case list():
            return [item.strip() for item in value.split(",") if item.strip()]
        case bool():
            return {"true": True, "false": False}.get(value.lower(), value)
        case int() if value.isascii() and value.isdigit():
            return int(value)
        case _:
            return value


def _convert(source: Source, tree: dict[str, Any]) -> File:
    try:
        return msgspec.convert(tree, File)
    except msgspec.ValidationError as e:
        message, _, at = str(e).partition(" - at `$")
        where = tuple(int(p) if p.isdigit() else p for p in re.findall(r"[A-Za-z0-9_]+", at.rstrip("`")))
        hint = ""
        if unknown := re.search(r"unknown field `(.+?)`", message):
            where = (*where, unknown[1])
            message = "there is no such key"
            hint = _suggest(where)
        elif message.startswith("Invalid enum value"):
            hint = f"It is one of: {', '.join(_WORDS.get(str(where[-1]), ()))}."
        elif where in {("egress", "source"), ("egress", "pool")}:
            hint = f"Each one is a table of its own that begins with [[{'.'.join(map(str, where))}]]."
        raise source.refuse(where, message, hint) from None


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
            return list(Modes.__struct_fields__)
        case [section]:
            return _keys_of(section)
        case _:
            return list(File.__struct_fields__)


def _keys_of(section: str) -> list[str]:
    defaults: Section = getattr(File(), section)
    return list(defaults.__struct_fields__)


def _build(source: Source, file: File) -> Config:
    base = source.path.resolve().parent
    database = _database(source, base, file.database)
    return Config(
        path=source.path.resolve(),
        server=_server(source, base, file.server),
        database=database,
        egress=read_egress(file.egress.source, file.egress.pool, source.refuse),
        policy=_policy(source, file.policy),
        objects=_objects(base, database.embedded or base / "data", file.objects.url),
        key_file=_key_file(source, base, database.embedded, file.security.key_file),
        window=_duration(source, ("sync", "window"), file.sync.window),
        lease=_duration(source, ("workers", "lease"), file.workers.lease),
        retention=_duration(source, ("ledger", "retention"), file.ledger.retention),
        diagnosis=_diagnosis(source, file.diagnosis),
        ispdb=_ispdb(source, file.detection.ispdb),
    )


def _duration(source: Source, where: tuple[str, ...], text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as e:
        raise source.refuse(where, str(e), "Write a number and a unit: 5s, 30m, 12h, 90d.") from e


def _ispdb(source: Source, text: str) -> str:
    if text and not re.fullmatch(r"https://[^/?#@\s]+(/[^?#\s]*)?", text):
        raise source.refuse(
            ("detection", "ispdb"), f"{text!r} is not an https address", "Write one such as https://ispdb.example/v1.1."
        )
    return text.rstrip("/")


def _server(source: Source, base: Path, section: Server) -> ServerConfig:
    host, _, port = section.listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise source.refuse(
            ("server", "listen"), f"{section.listen!r} is not host:port", "Write one such as 127.0.0.1:8025."
        )
    tls = read_tls(base, section.tls_certificate, section.tls_key, source.refuse)
    url = section.public_url or f"{'http' if tls is None else 'https'}://{section.listen}"
    if not url.startswith(("http://", "https://")):
        raise source.refuse(
            ("server", "public_url"),
            f"{url!r} is not a URL",
            "Write what browsers reach, such as https://mail.example.",
        )
    return ServerConfig(host.strip("[]"), int(port), url.rstrip("/"), section.rate_limits, tls)


def _database(source: Source, base: Path, section: Database) -> DatabaseConfig:
    scheme, _, rest = section.url.partition(":")
    match scheme:
        case "embedded" if rest:
            return DatabaseConfig(embedded=(base / rest).resolve())
        case "postgresql" | "postgres":
            return DatabaseConfig(url=section.url)
        case _:
            # Not repeated: a URL of whatever kind may hold a password.
            raise source.refuse(
                ("database", "url"), "this is no database", "Write embedded:FOLDER, or postgresql://user:pass@host/db."
            )


def _objects(base: Path, data: Path, url: str) -> str:
    if not url:
        return (data / "objects").as_uri()
    if url.startswith("file:"):
        return (base / unquote(url.removeprefix("file://").removeprefix("file:"))).resolve().as_uri()
    return url


def _key_file(source: Source, base: Path, data: Path | None, text: str) -> Path:
    path = (base / text).resolve()
    if not text or path == base:
        raise source.refuse(("security", "key_file"), "this is not the name of a file", "Write ./mooring.keys.")
    if data is not None and path.is_relative_to(data):
        raise source.refuse(
            ("security", "key_file"),
            f"{path} is inside the data folder, so that whoever copies the data has the keys to it",
            "Put it beside this file, as ./mooring.keys.",
        )
    return path


def _policy(source: Source, section: Policy) -> PolicyConfig:
    networks: list[IPNetwork] = []
    for text in section.allow_private_targets:
        try:
            networks.append(ip_network(text))
        except ValueError as e:
            raise source.refuse(
                ("policy", "allow_private_targets"), str(e), "Write networks as CIDR, such as 10.0.0.0/8."
            ) from e
    return PolicyConfig(
        static_ips=section.static_ips,
        staged_delay=_duration(source, ("policy", "staged_delay"), section.staged_delay),
        migration_mode_v2=section.migration_mode.v2,
        migration_mode_v3=section.migration_mode.v3,
        subset=section.subset,
        connections_per_source_and_server=section.connections_per_source_and_server,
        allow_private_targets=tuple(networks),
    )


def _diagnosis(source: Source, section: Diagnosis) -> DiagnosisConfig:
    targets: list[ControlTarget] = []
    for text in section.control_targets:
        host, _, port = text.rpartition(":")
        if not host.strip("[]") or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65535:
            raise source.refuse(
                ("diagnosis", "control_targets"), f"{text!r} is not host:port", "Write one such as host.example:443."
            )
        targets.append(ControlTarget(host.strip("[]"), int(port)))
    return DiagnosisConfig(
        tuple(targets),
        section.foreign_pools,
        _duration(source, ("diagnosis", "watch_every"), section.watch_every),
        _duration(source, ("diagnosis", "watch_again"), section.watch_again),
    )
