"""``mooring up``: everything on this machine, in the foreground, until Ctrl-C."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from mooring.applications import NewApplication, StaticIps, any_application
from mooring.bootstrap import open_installation
from mooring.cli.apps import secret_labels, show_secret
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, errors, read_config, run, show_json
from mooring.cli.processes import Supervised
from mooring.config import Config, Generation, Kind, ServerConfig, is_starter, starter_toml
from mooring.egress import check_plumbing, host_addresses
from mooring.errors import ConfigError
from mooring.lifetime import until_stopped
from mooring.net.ports import require_free
from mooring.operators import any_operator
from mooring.store import EmbeddedPostgres, StoreUnavailable

T = TypeVar("T")

log = structlog.get_logger()

RESTART_S = 1.0
"""Seconds before a process that died is started again."""
STOP_S = 15.0
"""Seconds that a process has to end by itself."""
PORT_S = 8.0
"""Seconds that the port may be taken: the API of a killed predecessor ends the answers under way first, which it has
5 s for."""
PORT_LOOK_S = 0.2
DATABASE_S = 30.0
"""Seconds that our own database, which had been started, may be away before a start is given up."""
START_S = 2.0
"""Seconds in which the database is started again when it does not start: it may have been killed on the way."""


def up(json: Json = False, config: ConfigPath = DEFAULT_CONFIG, supervised: Supervised = False) -> None:
    """Run everything on this machine: database, API and worker. The first start makes an application."""
    run(_up(config, json=json, supervised=supervised), json=json)


def _configured(path: Path) -> tuple[Config, bool]:
    """The configuration, and whether it is a starter: also one that an earlier start wrote, and got no further."""
    is_new = not path.exists()
    if is_new:
        path.write_text(starter_toml(host_addresses()), encoding="utf-8")
        errors.print(f"Wrote [bold]{path}[/]: this host's addresses as its sources. Have a look at it.")
    return read_config(path), is_new or is_starter(path.read_text(encoding="utf-8"))


async def _up(path: Path, *, json: bool, supervised: bool) -> None:
    config, starter = _configured(path)
    check_plumbing(config.egress.pools)
    postgres = EmbeddedPostgres(config.database.embedded) if config.database.embedded is not None else None
    stopped = asyncio.create_task(until_stopped(supervised=supervised))
    watch: asyncio.Task[None] | None = None
    if postgres is not None:
        await _patiently(postgres.start, START_S)
        watch = asyncio.create_task(postgres.keep_running())
    try:
        await _wait_for_port(config.server)
        patience_s = 0.0 if postgres is None else DATABASE_S
        new, manned = await _patiently(lambda: _first_application(config, starter=starter), patience_s)
        await _announce(new, config, json=json)
        if not manned:
            errors.print(
                f"Dashboard: {config.server.public_url}/dashboard; make the first operator with "
                "`mooring operator create NAME`",
                soft_wrap=True,
            )
        await _supervise(config, stopped)
    finally:
        if watch is not None:
            watch.cancel()
        if postgres is not None:
            await postgres.stop()


async def _wait_for_port(server: ServerConfig) -> None:
    """Return once the API can listen where it is to.

    Raises:
        ConfigError: it cannot, and whoever listens there is no predecessor of ours that is about to end.
    """
    deadline = asyncio.get_running_loop().time() + PORT_S
    while True:
        try:
            require_free(server.host, server.port)
        except ConfigError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(PORT_LOOK_S)
        else:
            return


async def _patiently(begin: Callable[[], Awaitable[T]], patience_s: float) -> T:
    """What this comes to, begun again for so many seconds when the database was not there or died meanwhile."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await begin()
        except StoreUnavailable as e:
            if asyncio.get_running_loop().time() >= deadline:
                raise
            log.warning("database.away", error=e.message)
            await asyncio.sleep(RESTART_S)


async def _first_application(config: Config, *, starter: bool) -> tuple[NewApplication | None, bool]:
    """The first application, on the first start, and whether anybody can sign in to the dashboard.

    Where nothing else could carry the application, it has static IPs on.
    """
    async with open_installation(config, environments=[]) as installation:
        manned = await any_operator(installation.db)
        if await any_application(installation.db):
            return None, manned
        pools = [p.environment for p in config.egress.pools if p.environment.generation is Generation.V3]
        region = pools[0].region if pools else "us"
        has_dynamic = any(p.region == region and p.kind is Kind.DYNAMIC for p in pools)
        made = await installation.applications.create(
            name="First application",
            generation=Generation.V3,
            region=region,
            static_ips=StaticIps.ON if starter or not has_dynamic else StaticIps.OFF,
        )
        return made, manned


async def _announce(new: NewApplication | None, config: Config, *, json: bool) -> None:
    if json:
        if new is not None:
            labels = secret_labels(new.application)
            show_json({labels[1]: new.secret, labels[0]: new.application.id})
        return
    if new is not None:
        show_secret(new)
        console.print(f"[dim]Back up {config.key_file}: without it no stored password or message can be read.[/]")


async def _supervise(config: Config, stopped: asyncio.Task[None]) -> None:
    """Run the processes, start again whichever dies, and end them all when it is time."""
    errors.print(f"Starting at [bold]{config.server.public_url}[/] · Ctrl-C ends it")
    processes = [asyncio.create_task(_keep_running(words, config)) for words in command_lines(config)]
    await stopped
    for process in processes:
        process.cancel()
    await asyncio.gather(*processes, return_exceptions=True)


def command_lines(config: Config) -> list[tuple[str, ...]]:
    """The processes: the API, a worker for mailboxes, and one for webhooks.

    Deliveries have a process of their own, since first synchronisations keep a processor busy for as long as they take.
    """
    mail: list[str] = []
    webhooks: list[str] = []
    for pool in config.egress.pools:
        group = webhooks if pool.environment.generation is Generation.WEBHOOK else mail
        group += ["--environment", str(pool.environment)]
    return [("api",), *(("worker", *group) for group in (mail, webhooks) if group)]


async def _keep_running(words: Sequence[str], config: Config) -> None:
    """Keep one process of this kind running until cancelled."""
    name = " ".join(word for word in words if word != "--environment")
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mooring", *words, "--supervised", "--config", str(config.path),
            stdin=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            status = await process.wait()
        finally:
            await _end(process)
        log.warning("process.ended", process=name, status=status)
        await asyncio.sleep(RESTART_S)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
