"""How commands speak: results on standard output, everything else on standard error."""

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mooring.bootstrap import configure_logging
from mooring.config import Config, load_config
from mooring.errors import MooringError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text for people.")]
ConfigPath = Annotated[Path, typer.Option("--config", help="The configuration to read.")]
DEFAULT_CONFIG = Path("mooring.toml")
PIPED_WIDTH = 250
"""Characters of a line that no terminal breaks: nothing is cut for another program."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True, highlight=False)

T = TypeVar("T")


def show_json(value: Any) -> None:
    """Print one JSON value on a line of its own."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """Print rows for people; ``empty`` says what it means that there are none."""
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "ID")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console.print(table)


def read_config(path: Path) -> Config:
    """The configuration, or the end of the command with what is wrong."""
    return load_config(path)


def run(work: Coroutine[Any, Any, T], *, json: bool = False) -> T:
    """Run a command's work; what Mooring can explain ends it with a sentence and status 1, without a traceback."""
    configure_logging(json=json)
    try:
        return asyncio.run(work)
    except MooringError as e:
        fail(e, json=json)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(error: MooringError, *, json: bool) -> None:
    """Say what went wrong, and what to do next."""
    if json:
        show_json({"error": {"type": type(error).__name__, "message": error.message, "hint": error.hint}})
        return
    errors.print(f"[bold red]error:[/] {escape(error.message)}")
    if error.hint:
        errors.print(f"[dim]→[/] {escape(error.hint)}")
