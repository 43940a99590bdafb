"""Where a page of a list by time begins, as it is written into the link that leads to it."""

from collections.abc import Callable
from datetime import UTC, datetime

from mooring.errors import InvalidRequest


def write_position(at: datetime, identity: str) -> str:
    """Behind the one with this time and id: ``2026-01-02T03:04:05+00:00~ID``."""
    return f"{at.isoformat()}~{identity}"


def read_position(text: str, *, of: str, identity: Callable[[str], object] = str) -> tuple[datetime, str] | None:
    """What ``write_position`` was given; None where nothing was written.

    Args:
        of: what is listed, for the message.
        identity: reads an id, or raises ValueError.

    Raises:
        InvalidRequest: it did not write this.
    """
    if not text:
        return None
    at, _, written = text.partition("~")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), str(identity(written.replace("\0", "")))
    except (ValueError, OverflowError):
        raise InvalidRequest(f"This page of {of} does not exist.", hint="Start from the newest ones.") from None
