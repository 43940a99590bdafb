"""Cursors: where the next page of messages goes on."""

import base64
import re
from collections.abc import Iterable

from mooring.errors import InvalidRequest
from mooring.mail.types import Message

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


def write_cursor(date: int, identity: str) -> str:
    """The cursor that goes on behind this message."""
    return base64.urlsafe_b64encode(f"{date}:{identity}".encode()).decode().rstrip("=")


def behind_nothing() -> str:
    """The cursor that goes on from the beginning: nothing was found before it, and something may still come."""
    return write_cursor(2**63 - 1, "-")


def read_cursor(cursor: str) -> tuple[int, str]:
    """What ``write_cursor`` was given.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        date, _, identity = text.partition(":")
        if not _ID.fullmatch(identity) or abs(int(date)) >= 2**63:
            raise ValueError(cursor)
        return int(date), identity
    except ValueError as e:
        raise InvalidRequest("page_token is not one that a page of messages gave out.") from e


def after_cursor(messages: Iterable[Message], cursor: str | None) -> list[Message]:
    """Those of these messages, newest first, that come behind the cursor.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    if cursor is None:
        return list(messages)
    behind = read_cursor(cursor)
    return [message for message in messages if (message.date, message.id) < behind]
