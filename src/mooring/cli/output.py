"""How commands speak: results on standard output, everything else on standard error."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from mooring.bootstrap import configure_logging
from mooring.cli.tables import lay_out
from mooring.config import Config, load_config
from mooring.errors import ConfigError, MooringError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text for people.")]
ConfigPath = Annotated[Path, typer.Option("--config", help="The configuration to read.")]
DEFAULT_CONFIG = Path("mooring.toml")
PIPED_WIDTH = 100_000
"""Characters of a line that no terminal breaks: nothing is cut, or broken, for another program."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPED_WIDTH)

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
    for line in lay_out(console, columns, rows):
        console.print(line, soft_wrap=True)


def read_config(path: Path) -> Config:
    """The configuration, or the end of the command with what is wrong."""
    return load_config(path)


def run(work: Coroutine[Any, Any, T], *, json: bool = False) -> T:
    """Run a command's work; what Mooring can explain ends it with a sentence and status 1, without a traceback."""
    configure_logging(json=json)
    # The loop answers a Ctrl-C from here on, if it finds Python's own handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return asyncio.run(work)
    except MooringError as e:
        fail(e, json=json)
        raise typer.Exit(1) from None
    except OSError as e:
        where = f"{e.filename}: " if e.filename else ""
        hint = "See who owns the file or folder, and who may write in it." if isinstance(e, PermissionError) else ""
        fail(ConfigError(f"{where}{e.strerror or e}", hint=hint), json=json)
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
