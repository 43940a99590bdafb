"""``mooring``: the list of commands."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from mooring.cli import (
    apps,
    demo,
    diagnose,
    draining,
    egress,
    grants,
    guard,
    keys,
    moves,
    operators,
    processes,
    up,
    webhooks,
)
from mooring.cli.output import console, show_json

cli = typer.Typer(
    name="mooring",
    help="A self-hosted email and calendar API whose every connection leaves from an address you can allow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"mooring {version('mooring')}")
        raise typer.Exit


@cli.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What the command line takes before a command."""


cli.command("up")(up.up)
cli.command("api")(processes.api)
cli.command("worker")(processes.worker)
cli.command("ips")(egress.ips)
cli.command("demo")(demo.demo)
cli.command("diagnose")(diagnose.diagnose)
apps.cli.command("moves")(moves.batches)
apps.cli.command("pause")(moves.pause)
apps.cli.command("resume")(moves.resume)
apps.cli.command("roll-back")(moves.roll_back)
grants.cli.command("move")(moves.move)
grants.cli.command("moves")(moves.grant_moves)
grants.cli.command("stop")(moves.stop)
grants.cli.command("start")(moves.start)
egress.cli.command("drain")(draining.drain)
egress.cli.command("guard")(guard.guard)
cli.add_typer(apps.cli, name="app")
cli.add_typer(grants.cli, name="grant")
cli.add_typer(egress.cli, name="egress")
cli.add_typer(webhooks.cli, name="webhook")
cli.add_typer(operators.cli, name="operator")
cli.add_typer(keys.cli, name="keys")


def main(words: Sequence[str] | None = None) -> None:
    """The entry point. With ``--json``, a command line that cannot be read is told as every other failure is.

    Args:
        words: the command line; that of this process if left out.
    """
    line = list(sys.argv[1:] if words is None else words)
    if "--json" not in line:
        cli(line)
    try:
        sys.exit(cli(line, standalone_mode=False))
    except typer.TyperException as e:
        error = {"type": type(e).__name__, "message": e.format_message(), "hint": "--help shows what there is."}
        show_json({"error": error})
        sys.exit(e.exit_code)
