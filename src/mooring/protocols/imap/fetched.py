"""Reading FETCH responses: the hot path, twenty thousand times a mailbox."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from mooring.protocols.imap.framing import Response
from mooring.protocols.imap.types import FetchedMessage
from mooring.protocols.imap.wire import Cursor, bounded, flag_set

_ITEM = re.compile(rb" *([A-Za-z0-9._\-]+)(\[[^\]]*\](?:<\d{1,20}>)?)? *")
_MODSEQ = re.compile(rb" *\( *(\d{1,20}) *\)")
_DATE = re.compile(rb" *(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}


def parse_fetch(response: Response, sequence: int, start: int) -> FetchedMessage:
    """One message, from a FETCH response whose text continues at ``start``.

    Items that were not asked for are passed over.

    Raises:
        RemoteProtocolError.
    Source: RFC 9051 §7.5.2, RFC 7162 §3.1.
    """
    cursor = Cursor(response, start)
    cursor.expect(b"(")
    uid = 0
    flags = internal_date = size = modseq = body = None
    truncated = False
    while not cursor.accept(b")"):
        item = cursor.match(_ITEM, "the name of an item")
        match item[1].upper():
            case b"UID":
                uid = cursor.number()
            case b"FLAGS":
                flags = flag_set(cursor.words())
            case b"INTERNALDATE":
                internal_date = parse_date(cursor.nullable_string() or b"")
            case b"RFC822.SIZE":
                size = None if cursor.accept_nil() else cursor.number()
            case b"MODSEQ":
                modseq = None if cursor.accept_nil() else bounded(cursor.match(_MODSEQ, "a MODSEQ")[1])
            case b"BODY" if item[2]:
                body, truncated = cursor.body()
            case _:
                cursor.skip_value()
    return FetchedMessage(uid, sequence, flags, internal_date, size, modseq, body, truncated)


def parse_date(text: bytes) -> datetime | None:
    """An INTERNALDATE, aware; None when it is none (RFC 9051 §9, date-time)."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, off_hours, off_minutes = found.groups()
    offset = int(off_hours) * 60 + int(off_minutes)
    try:
        return datetime(
            int(year),
            _MONTHS.get(month.lower(), 0),
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=_zone(-offset if sign == b"-" else offset),
        )
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))
