"""What the story is made of, while it is told and when it has been."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to look at."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class Chapter:
    """One step, and what came of it.

    Attributes:
        name: one word for machines.
        title: what is going to happen, in a sentence.
        said: what happened, in sentences and tables; complete once the chapter has ended.
    """

    name: str
    title: str
    said: list[str | Table] = field(default_factory=list[str | Table])

    def say(self, *parts: str | Table) -> None:
        """Add what happened."""
        self.said.extend(parts)


class Teller(Protocol):
    """Who the story is told to."""

    def chapter(self, name: str, title: str) -> AbstractContextManager[Chapter]:
        """The block in which a step happens; whoever listens is told at its beginning and at its end."""
        ...


class Connection(msgspec.Struct, frozen=True):
    """A connection that the mail host accepted.

    Attributes:
        service: ``imap`` or ``smtp``.
        source, port: where it came from, as the host's own kernel saw it.
    """

    service: str
    source: str
    port: int


class Summary(msgspec.Struct):
    """The story in one value.

    Attributes:
        static, dynamic: the addresses of the two environments.
        refusal: the ``provider_error`` that a read from a dynamic address ended in (S18).
        verdict: what a diagnosis made of it: code, confidence, summary, next steps.
        messages: in the inbox, when they could be read.
        visited_from: the addresses that ever reached the mail host.
        connections: each connection that the mail host accepted.
        ledger: every dial, newest first, as the API tells it.
    """

    static: list[str]
    dynamic: list[str]
    refusal: dict[str, Any]
    verdict: dict[str, Any]
    messages: int
    visited_from: list[str]
    connections: list[Connection]
    ledger: list[dict[str, Any]]
    seconds: float
    ok: bool = True
