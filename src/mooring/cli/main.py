"""``mooring``: the list of commands."""

import sys

import click
import typer

from mooring.cli import apps, demo, egress, grants, keys, processes, up
from mooring.cli.output import show_json

cli = typer.Typer(
    name="mooring",
    help="A self-hosted email and calendar API whose every connection leaves from an address you can allow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command("up")(up.up)
cli.command("api")(processes.api)
cli.command("worker")(processes.worker)
cli.command("ips")(egress.ips)
cli.command("demo")(demo.demo)
cli.add_typer(apps.cli, name="app")
cli.add_typer(grants.cli, name="grant")
cli.add_typer(egress.cli, name="egress")
cli.add_typer(keys.cli, name="keys")


def main() -> None:
    """The entry point. A command line that cannot be read is told as every other failure is."""
    if "--json" not in sys.argv:
        cli()
    try:
        sys.exit(cli(standalone_mode=False))
    except click.ClickException as e:
        show_json({"error": {"type": "UsageError", "message": e.format_message(), "hint": "See --help."}})
        sys.exit(e.exit_code)
    except click.Abort:
        sys.exit(130)
