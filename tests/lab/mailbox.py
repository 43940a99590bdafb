"""The administrator's own way into a Dovecot mailbox: IMAP over a pipe, past network, firewall and login."""

import re
import subprocess
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import IO, Protocol

#: Messages that go into one transaction of Dovecot.
_BATCH = 500


class Storable(Protocol):
    """What APPEND takes: a Deposit, or a generated Mail."""

    @property
    def raw(self) -> bytes: ...
    @property
    def flags(self) -> Sequence[str]: ...
    @property
    def date(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Deposit:
    """A message to be stored, as APPEND takes it."""

    raw: bytes
    flags: Sequence[str] = ()
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the server holds it."""

    uid: int
    flags: frozenset[str]
    raw: bytes


class Pipe:
    """One preauthenticated IMAP session."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[bytes] = process.stdin
        self._out: IO[bytes] = process.stdout
        self._count = 0
        if not self._out.readline().startswith(b"* PREAUTH"):
            raise RuntimeError("Dovecot's imap did not greet on the pipe; is the user known to it?")

    def command(self, text: str) -> list[tuple[bytes, list[bytes]]]:
        """Run one command; its untagged answers, each as text without literals and the literals.

        Raises:
            RuntimeError: the server did not answer OK; the message holds its words.
        """
        self._count += 1
        self._in.write(f"t{self._count} {text}\r\n".encode())
        self._in.flush()
        return self._answers(text)[0]

    def append(self, folder: str, deposits: Iterable[Storable]) -> list[int]:
        """Store messages; the UIDs that they got, in order."""
        uids: list[int] = []
        remaining = iter(deposits)
        while batch := list(islice(remaining, _BATCH)):
            self._count += 1
            self._in.write(f"t{self._count} APPEND {quoted(folder)}".encode())
            for deposit in batch:
                self._in.write(_head(deposit))
                self._in.write(deposit.raw)
            self._in.write(b"\r\n")
            self._in.flush()
            done = self._answers(f"APPEND {folder}")[1]
            found = re.search(rb"APPENDUID \d+ ([\d:,]+)", done)
            assert found is not None
            uids += _numbers(found[1].decode())
        return uids

    def messages(self, folder: str) -> Iterator[Stored]:
        """Every message of a folder, by rising UID; reading changes no flag."""
        self.command(f"EXAMINE {quoted(folder)}")
        for text, literals in self.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])"):
            uid = re.search(rb"UID (\d+)", text)
            flags = re.search(rb"FLAGS \(([^)]*)\)", text)
            if uid and flags and literals:
                # \Recent belongs to a session, not to the message.
                names = frozenset(flags[1].decode().split()) - {"\\Recent"}
                yield Stored(int(uid[1]), names, literals[0])

    def _answers(self, command: str) -> tuple[list[tuple[bytes, list[bytes]]], bytes]:
        answers: list[tuple[bytes, list[bytes]]] = []
        while True:
            text, literals = self._answer()
            if text.startswith(b"*"):
                answers.append((text, literals))
            elif text.startswith(b"+"):
                continue
            elif b" OK " in text[:20]:
                return answers, text
            else:
                raise RuntimeError(f"{command[:80]}: {text.decode(errors='replace').strip() or 'the pipe closed'}")

    def _answer(self) -> tuple[bytes, list[bytes]]:
        parts: list[bytes] = []
        literals: list[bytes] = []
        while True:
            line = self._out.readline()
            parts.append(line)
            announced = re.search(rb"\{(\d+)\}\r\n\Z", line)
            if announced is None:
                return b"".join(parts), literals
            literals.append(self._out.read(int(announced[1])))


@contextmanager
def opened(argv: Sequence[str]) -> Generator[Pipe]:
    """A pipe for as long as the block runs."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        try:
            yield Pipe(process)
        finally:
            process.kill()


def quoted(folder: str) -> str:
    """A mailbox name, already in the form that goes over the wire, as a quoted string."""
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _head(deposit: Storable) -> bytes:
    flags = f" ({' '.join(deposit.flags)})" if deposit.flags else ""
    date = f' "{internal_date(deposit.date)}"' if deposit.date else ""
    return f"{flags}{date} {{{len(deposit.raw)}+}}\r\n".encode()


def internal_date(date: datetime) -> str:
    """A date as IMAP writes it, whatever the locale (RFC 9051 §9, date-time)."""
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[date.month - 1]
    return f"{date.day:2d}-{month}-{date.year} {date:%H:%M:%S %z}"


def _numbers(uids: str) -> list[int]:
    found: list[int] = []
    for part in uids.split(","):
        low, _, high = part.partition(":")
        found += range(int(low), int(high or low) + 1)
    return found
