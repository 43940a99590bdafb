"""``mooring egress guard``: the kernel judges what Mooring's processes open, whatever Mooring's own code says."""

import asyncio
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
import typer
from rich.markup import escape

from mooring.bootstrap import served_pools
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, errors, read_config, run, show_json
from mooring.cli.processes import Environments
from mooring.clock import SystemClock
from mooring.config import Config, PoolConfig
from mooring.egress import (
    Guard,
    GuardFile,
    GuardMode,
    GuardState,
    Leak,
    Nft,
    Opening,
    guard_of,
    lacking,
    read_opening,
    ruleset,
    table_of,
    watch,
)
from mooring.errors import InvalidRequest
from mooring.lifetime import until_stopped

log = structlog.get_logger()

ROOT = 0


@dataclass(frozen=True, slots=True)
class User:
    """Whose connections are judged."""

    uid: int
    name: str


@dataclass(frozen=True, slots=True)
class _Planned:
    guard: Guard
    warnings: list[str]


def guard(
    apply: Annotated[bool, typer.Option("--apply", help="Load the rules, in place of those loaded before.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the rules away.")] = False,
    watching: Annotated[
        bool, typer.Option("--watch", help="Tell the other processes what the kernel counts, until Ctrl-C.")
    ] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Stop leaks, besides counting them.")] = False,
    user: Annotated[
        str, typer.Option(help="The user that runs Mooring, by name or number; default: the owner of the key ring.")
    ] = "",
    allow: Annotated[
        list[str] | None,
        typer.Option(help="An address or a network, with or without :PORT, that may be reached from any address."),
    ] = None,
    environment: Environments = None,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Print the kernel's rules that let Mooring's processes leave from the pools' addresses alone, or load them."""

    async def work() -> None:
        if remove and (apply or watching or drop):
            raise InvalidRequest("--remove takes the rules away, so nothing is to be done with them besides.")
        if watching and drop and not apply:
            raise InvalidRequest("--watch looks on; it is --apply that makes the rules --drop.")
        settings = read_config(config)
        whose = user_of(settings, user)
        if remove:
            _show_removed(whose, await Nft().remove(whose.uid), json=json)
            return
        if apply or not watching:
            planned = await _plan(settings, served_pools(settings, environment), whose, allow or [], drop=drop)
            for warning in planned.warnings:
                errors.print(f"[bold yellow]warning:[/] {escape(warning)}")
            if apply:
                await Nft().apply(planned.guard)
                _show_applied(planned, await Nft().look(whose.uid), json=json)
            else:
                _show_rules(planned, json=json)
        if watching:
            await _watch(whose)

    run(work(), json=json)


def user_of(config: Config, wanted: str = "") -> User:
    """The user that is named or, if none is, that runs Mooring: who owns its key ring, else who asks.

    Raises:
        InvalidRequest: there is no such user.
    """
    try:
        if wanted and not wanted.isdecimal():
            entry = pwd.getpwnam(wanted)
            return User(entry.pw_uid, entry.pw_name)
    except KeyError:
        raise InvalidRequest(f"--user: there is no user {wanted!r} on this host.") from None
    uid = int(wanted) if wanted else _runner(config)
    try:
        return User(uid, pwd.getpwuid(uid).pw_name)
    except KeyError:  # a container may run a number that has no name
        return User(uid, str(uid))


def _runner(config: Config) -> int:
    """With sudo it is root that asks. The key ring is read by nobody but who runs Mooring (0600)."""
    return config.key_file.stat().st_uid if config.key_file.exists() else os.geteuid()


async def _plan(config: Config, pools: tuple[PoolConfig, ...], user: User, allow: list[str], *, drop: bool) -> _Planned:
    openings = [_opening(text) for text in allow]
    guard = await guard_of(pools, config.database.url, uid=user.uid, user=user.name, allowed=openings, drop=drop)
    return _Planned(guard, list(_warnings(config, pools, guard, allow)))


def _opening(text: str) -> Opening:
    try:
        return read_opening(text)
    except ValueError as e:
        raise InvalidRequest(
            f"--allow: {text!r} is no address or network: {e}.", hint="192.0.2.7, 192.0.2.0/24:443, [2001:db8::/32]:443"
        ) from e


def _warnings(config: Config, pools: tuple[PoolConfig, ...], guard: Guard, allow: list[str]) -> Iterator[str]:
    """What the rules do that whoever loads them may not expect."""
    if guard.uid == ROOT:
        yield (
            "These rules judge everything that root does on this host, not Mooring alone. "
            "Run Mooring as a user of its own, or in a network namespace of its own."
        )
    for source in dict.fromkeys(source for pool in pools for source in pool.sources):
        if (local := lacking(source)) is not None:
            yield f"{local}, which the source {source.name} binds, is no address of this host; it is admitted anyway."
    if config.objects.startswith("s3:") and not allow:
        yield (
            "The object store is a bucket, whose addresses are not known here: "
            f"connections to it are leaks{' and dropped' if guard.drop else ''}. Name them with --allow."
        )


def _show_rules(planned: _Planned, *, json: bool) -> None:
    rules = ruleset(planned.guard)
    if json:
        show_json({**_told(planned), "rules": rules})
    else:
        console.print(rules, markup=False, soft_wrap=True, end="")


def _show_applied(planned: _Planned, state: GuardState, *, json: bool) -> None:
    if json:
        show_json({**_told(planned), "mode": state.mode, "leaks": state.leaks})
        return
    guard = planned.guard
    sources = ", ".join(map(str, guard.sources)) or "no address (proxies only)"
    verdict = "counted and dropped" if guard.drop else "counted; --drop would stop them as well"
    console.print(f"Guarded: the connections of {guard.user} ({guard.uid}).", markup=False, soft_wrap=True)
    console.print(
        f"They leave from {sources}. Leaks are {verdict}. So far: {state.leaks}.", markup=False, soft_wrap=True
    )
    console.print("The rules are gone after a reboot, and when another program flushes them.", soft_wrap=True)


def _told(planned: _Planned) -> dict[str, Any]:
    guard = planned.guard
    return {
        "user": guard.user,
        "uid": guard.uid,
        "table": table_of(guard.uid),
        "drop": guard.drop,
        "sources": [str(address) for address in guard.sources],
        "openings": [
            {"network": str(opening.network), "port": opening.port, "why": opening.why} for opening in guard.openings
        ],
        "warnings": planned.warnings,
    }


def _show_removed(user: User, removed: bool, *, json: bool) -> None:
    if json:
        show_json({"user": user.name, "uid": user.uid, "table": table_of(user.uid), "removed": removed})
    else:
        said = "are no longer guarded" if removed else "were not guarded"
        console.print(f"The connections of {user.name} ({user.uid}) {said}.", markup=False, soft_wrap=True)


async def _watch(user: User) -> None:
    stopped = asyncio.ensure_future(until_stopped(supervised=False))
    before: GuardMode | None = None

    def told(state: GuardState, leaks: frozenset[Leak]) -> None:
        nonlocal before
        if state.mode is not before:
            log.info("guard.watched", user=user.name, mode=str(state.mode), leaks=state.leaks)
            before = state.mode
        for leak in sorted(leaks, key=lambda leak: (leak.source, leak.target)):
            log.warning("guard.leak", protocol=leak.protocol, source=leak.source, target=leak.target)

    await watch(Nft(), user.uid, GuardFile(user.uid, SystemClock()), stopped, told=told)
