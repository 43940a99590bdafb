"""``mooring demo``: the whole story in one terminal, checked while it is told."""

import logging
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.markup import escape
from rich.padding import Padding

from mooring.cli.output import Json, console, run, show_json, show_table
from mooring.clock import SystemClock
from mooring.demo import Chapter, Summary, Table, tell

INDENT = 4
"""Columns by which what happened stands below its step."""


def demo(json: Json = False) -> None:
    """Tell the whole story on this machine: a filtered mailbox connected, diagnosed, switched, read and sent from."""
    # Ended by either signal, it goes the same way out; also where a shell had the one ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    summary = run(_tell(json=json), json=json)
    if json:
        show_json(summary)
        return
    console.print(
        f"[bold green]As told[/], in {summary.seconds:.0f} s: authentication leaves by static addresses and "
        "works (S14), reads from a dynamic one are filtered (S18), a diagnosis says so (B3), static IPs cure it, "
        "and the ledger proves it (B2). "
        "Nothing is left of it on this machine."
    )


def _interrupt(signum: int, frame: object) -> None:  # noqa: ARG001 - what a signal's handler is given
    signal.raise_signal(signal.SIGINT)


async def _tell(*, json: bool) -> Summary:
    # Of its parts only errors matter here; a client that hangs up is none.
    for name in ("pymap", "mail.log", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return await tell(_Silent() if json else _Spoken(), SystemClock())


class _Silent:
    """Tells nobody."""

    @contextmanager
    def chapter(self, name: str, title: str) -> Generator[Chapter]:
        yield Chapter(name, title)


class _Spoken:
    """Tells whoever sits at the terminal: each step as it begins, and what came of it."""

    def __init__(self) -> None:
        self._number = 0

    @contextmanager
    def chapter(self, name: str, title: str) -> Generator[Chapter]:
        self._number += 1
        heading = f"[bold]{self._number}[/] {escape(title)}"
        told, started = Chapter(name, title), time.monotonic()
        try:
            with console.status(heading):
                yield told
        except BaseException:
            console.print(f"[red]✗[/] {heading}")
            raise
        console.print(f"[green]✓[/] {heading} [dim]({time.monotonic() - started:.1f} s)[/]")
        for part in told.said:
            _show(part)


def _show(part: str | Table) -> None:
    match part:
        case str():
            console.print(Padding(escape(part), (0, 0, 0, INDENT), expand=False))
        case Table(columns, rows):
            console.print()
            show_table(columns, rows, empty="There is nothing.")
            console.print()
