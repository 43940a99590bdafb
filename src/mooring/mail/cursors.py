"""Cursors: where the next page of messages goes on.

Of a copy that is whole a page goes on behind the last message of the page before. Of one that still grows nobody
knows what will lie between two messages; its cursors name those that were shown, so that none comes twice and none
is passed over.
"""

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

from mooring.errors import InvalidRequest
from mooring.mail.types import Message

MOST_SEEN = 100
"""Messages that a cursor names; more would be too long for a URL."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Place(NamedTuple):
    """A place in a listing, newest first.

    Attributes:
        date, id: of the message that it lies behind.
        seen: messages behind it that were shown nevertheless.
    """

    date: int
    id: str
    seen: tuple[str, ...] = ()


BEGINNING = Place(2**63 - 1, "-")
"""Before every message."""


def write_cursor(date: int, identity: str, seen: Iterable[str] = ()) -> str:
    """The cursor that goes on behind this message, with all but those that were seen."""
    return base64.urlsafe_b64encode(f"{date}:{','.join((identity, *seen))}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Place:
    """What ``write_cursor`` was given.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        date, _, named = text.partition(":")
        identity, *seen = named.split(",")
        if not all(map(_ID.fullmatch, (identity, *seen))) or abs(int(date)) >= 2**63 or len(seen) > MOST_SEEN:
            raise ValueError(cursor)
        return Place(int(date), identity, tuple(seen))
    except ValueError as e:
        raise InvalidRequest("page_token is not one that a page of messages gave out.") from e


def after_cursor(messages: Iterable[Message], cursor: str | None) -> list[Message]:
    """Those of these messages, newest first, that come behind the cursor.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    if cursor is None:
        return list(messages)
    date, identity, seen = read_cursor(cursor)
    return [m for m in messages if (m.date, m.id) < (date, identity) and m.id not in seen]


def room_in(cursor: str | None) -> int:
    """How many messages more a cursor of a growing copy can name. Raises: InvalidRequest."""
    return MOST_SEEN - len(read_cursor(cursor).seen) if cursor is not None else MOST_SEEN


def with_seen(cursor: str | None, messages: Iterable[Message]) -> str:
    """The same place, with these messages shown as well. Raises: InvalidRequest."""
    date, identity, seen = read_cursor(cursor) if cursor is not None else BEGINNING
    return write_cursor(date, identity, (*seen, *(message.id for message in messages)))
