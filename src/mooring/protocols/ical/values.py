"""Values of properties: dates, times, durations, offsets; None for what cannot be read."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import overload

_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_TIME = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})[Tt ](\d{2}):?(\d{2}):?(\d{2})?(?:\.\d+)?([Zz]?)")
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.IGNORECASE
)
_OFFSET = re.compile(r"([+-]?)(\d{2})(\d{2})(\d{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: str) -> datetime | date | None:
    """A DATE, or a DATE-TIME: aware when it ends with Z, else naive.

    Source: RFC 5545 section 3.3.4 and 3.3.5; also with the dashes and colons of ISO 8601.
    """
    value = value.strip()
    try:
        if match := _DATE.fullmatch(value):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _TIME.fullmatch(value):
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
            tz = UTC if match[7] else None
            return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=tz)
    except ValueError:
        return None
    return None


def duration(value: str) -> timedelta | None:
    """A DURATION (RFC 5545 section 3.3.6)."""
    match = _DURATION.fullmatch(value.strip())
    if not match:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if match[1] == "-" else length


def offset(value: str) -> int:
    """A UTC-OFFSET in seconds (RFC 5545 section 3.3.14).

    Raises:
        ValueError: it is none.
    """
    match = _OFFSET.fullmatch(value.strip())
    if not match:
        raise ValueError("not an offset from UTC")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4] or 0)
    return -seconds if match[1] == "-" else seconds


@overload
def unix(value: date) -> int: ...
@overload
def unix(value: None) -> None: ...
def unix(value: date | None) -> int | None:
    """Unix seconds of an aware moment, or of midnight UTC of a date."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return (value - _EPOCH) // timedelta(seconds=1)


def stamp(value: date) -> str:
    """The basic form: ``20260101`` for a date, ``20260101T090000Z`` for an aware moment."""
    if not isinstance(value, datetime):
        return f"{value.year:04}{value.month:02}{value.day:02}"
    at = _EPOCH + timedelta(seconds=unix(value))
    return f"{at.year:04}{at.month:02}{at.day:02}T{at.hour:02}{at.minute:02}{at.second:02}Z"
