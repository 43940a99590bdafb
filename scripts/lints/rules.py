"""What ruff, basedpyright and import-linter cannot say."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

#: Lines; facts of admired code bases: the median is 130, and nobody holds up a giant.
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

#: Statements that Postgres runs. IMAP has a SELECT and plain English an UPDATE, so a whole shape is asked for.
_SQL = re.compile(
    r"\bSELECT\b.+\bFROM\b|\bINSERT\s+INTO\b|\bUPDATE\s+[\w.\"]+(\s+\w+)?\s+SET\b|\bDELETE\s+FROM\b"
    r"|\b(CREATE|ALTER|DROP)\s+(TABLE|INDEX|TYPE|SCHEMA|EXTENSION|FUNCTION|ROLE)\b|\bTRUNCATE\s+TABLE\b",
    re.DOTALL,
)

#: What reads the wall clock: module and name.
_CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
}


@dataclass(frozen=True)
class Source:
    """A file: its path from the root of the repository, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The text, parsed."""
        return ast.parse(self.text, self.path)

    @property
    def in_package(self) -> bool:
        """Whether it is part of Mooring, rather than of its tests and tools."""
        return self.path.startswith("src/mooring/")

    def within(self, room: str) -> bool:
        """Whether it belongs to a room, given as ``store``, or is a file, given as ``clock.py``."""
        rest = self.path.removeprefix("src/mooring/")
        return rest == room or rest.startswith(f"{room}/")


@dataclass(frozen=True, slots=True)
class Finding:
    """A line that breaks a rule, and what to do."""

    line: int
    message: str


def check(source: Source) -> list[Finding]:
    """Every finding in a file, by line."""
    found = [finding for rule in RULES for finding in rule(source)]
    return sorted(set(found), key=lambda finding: finding.line)


def file_length(source: Source) -> Iterator[Finding]:
    """A file ends before its reader does."""
    lines = len(source.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield Finding(1, f"{lines} lines; split it by noun, {MAX_FILE_LINES} is the end")


def function_length(source: Source) -> Iterator[Finding]:
    """A function fits on a screen, its signature and docstring included."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield Finding(node.lineno, f"{node.name} has {lines} lines; {MAX_FUNCTION_LINES} is the end")


def sql_only_in_repositories(source: Source) -> Iterator[Finding]:
    """SQL lives in the rooms' repository.py and in store/."""
    path = PurePosixPath(source.path)
    if not source.in_package or source.within("store") or path.name == "repository.py" or "repository" in path.parts:
        return
    spoken = _docstrings(source.tree)
    for line, text in _strings(source.tree):
        if line not in spoken and _SQL.search(text):
            yield Finding(line, "SQL outside repository.py and store/")


def clock_only_as_parameter(source: Source) -> Iterator[Finding]:
    """Rooms take a Clock; only clock.py reads the machine's."""
    if not source.in_package or source.within("clock.py"):
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in _CLOCKS:
                yield Finding(node.lineno, f"{owner}.{name} outside clock.py; take a Clock")
            case ast.Attribute(value=ast.Attribute(attr=owner), attr=name) if (owner, name) in _CLOCKS:
                yield Finding(node.lineno, f"{owner}.{name} outside clock.py; take a Clock")
            case ast.ImportFrom(module="time", names=names):
                for alias in names:
                    if ("time", alias.name) in _CLOCKS:
                        yield Finding(node.lineno, f"time.{alias.name} outside clock.py; take a Clock")
            case _:
                pass


def print_only_in_cli(source: Source) -> Iterator[Finding]:
    """Only the command line speaks to a terminal."""
    if not source.in_package or source.within("cli"):
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="print")):
                yield Finding(node.lineno, "print outside cli/; return it, or log it")
            case _:
                pass


def no_patching_in_tests(source: Source) -> Iterator[Finding]:
    """Tests pass a fake; they never patch, and never skip."""
    if not source.path.startswith("tests/"):
        return
    for node in ast.walk(source.tree):
        match node:
            case (
                ast.ImportFrom(module="unittest.mock" | "unittest" | "mock")
                | ast.Import(names=[ast.alias(name="unittest.mock" | "mock")])
            ):
                yield Finding(node.lineno, "a mock in a test; pass a fake")
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark"), attr="skip" | "skipif"):
                yield Finding(node.lineno, "a skipped test; what is missing is an error")
            case ast.Attribute(value=ast.Name(id="pytest"), attr="skip" | "importorskip"):
                yield Finding(node.lineno, "a skipped test; what is missing is an error")
            case _:
                pass


def no_sleeping_tests(source: Source) -> Iterator[Finding]:
    """A test waits for what it waits for: a row, a line, an event."""
    name = PurePosixPath(source.path).name
    if not source.path.startswith("tests/") or not name.startswith("test_"):
        return
    for node in ast.walk(source.tree):
        match node:
            # sleep(0) only lets the others run.
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep"), args=[argument]):
                if not (isinstance(argument, ast.Constant) and argument.value == 0):
                    yield Finding(node.lineno, "a sleep in a test; wait for the fact")
            case _:
                pass


RULES: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    file_length,
    function_length,
    sql_only_in_repositories,
    clock_only_as_parameter,
    print_only_in_cli,
    no_patching_in_tests,
    no_sleeping_tests,
)


def _docstrings(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines.add(first.value.lineno)
    return lines


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "x" for part in values)
                yield node.lineno, "".join(parts)
            case ast.Constant(value=str(text)):
                yield node.lineno, text
            case _:
                pass
