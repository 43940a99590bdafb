"""``mooring egress drain``: a source is left by its accounts, before its address goes."""

import asyncio
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mooring.bootstrap import Installation, open_installation
from mooring.cli.apps import operator
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, read_config, run, show_json
from mooring.config import Config
from mooring.errors import NotFound
from mooring.grants import Leaving

WATCH_S = 2.0
"""Seconds between two looks at a source that is followed."""


def drain(
    source: Annotated[str, typer.Argument(help="The source's name.")],
    undo: Annotated[bool, typer.Option("--undo", help="Have it used again; who has left it stays away.")] = False,
    follow: Annotated[bool, typer.Option(help="Stay until everybody who can has left it.")] = False,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Have a source left: nobody is newly placed on it, and its accounts move to others of their pool, one by one."""

    async def work() -> tuple[int, Leaving]:
        settings = read_config(config)
        _require_known(settings, source)
        async with open_installation(settings, environments=[]) as installation:
            if undo:
                await installation.draining.undo(source)
                return 0, await installation.draining.progress(source)
            moving = await installation.draining.drain(source, by=operator())
            if follow:
                await _follow(installation, source, shown=not json)
            return moving, await installation.draining.progress(source)

    begun, now = run(work(), json=json)
    if json:
        show_json({"source": source, "begun": begun, "left": now.left, "moving": now.moving, "why_not": now.why_not})
        return
    if undo:
        console.print(f"{source} is used again; {now.left} accounts keep it.")
    elif now.left == 0:
        console.print(f"Nobody keeps {source}. Take it out of its pool, and start Mooring again.")
    else:
        console.print(f"{now.left} accounts keep {source}; {now.moving} of them are on their way.")
        for why in now.why_not:
            console.print(f"[yellow]not left:[/] {why}")


def _require_known(config: Config, source: str) -> None:
    if source not in {known.name for known in config.egress.sources}:
        raise NotFound(f"{config.path} has no source {source!r}.", hint="`mooring egress list` shows them.")


async def _follow(installation: Installation, source: str, *, shown: bool) -> None:
    """Return when nobody is on the way any more; show how far it is until then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not shown) as progress:
        total = (await installation.draining.progress(source)).left
        task = progress.add_task("accounts left", total=total)
        while (now := await installation.draining.progress(source)).moving:
            progress.update(task, completed=total - now.left)
            await asyncio.sleep(WATCH_S)
        progress.update(task, completed=total - now.left)
