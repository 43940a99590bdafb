"""From an iCalendar object to its series: what has one UID, and from when to when it may happen.

Reading and expanding is work for the processor: call it in a thread.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mooring.ids import digest_id
from mooring.protocols.caldav import CalendarObject
from mooring.protocols.ical import (
    MAX_OCCURRENCES,
    MAX_WINDOW,
    Datespan,
    Day,
    ParsedEvent,
    Timespan,
    When,
    expand,
    parse_calendar_object,
)

DAY_S = 86_400
LONGEST_S = int(MAX_WINDOW.total_seconds())
"""Seconds; a series that lasts longer counts as one without end."""
MAX_SERIES = 20
"""UIDs of one object that are looked at; RFC 4791 §4.1 allows one."""

_PART = re.compile(r"(?:^|;)\s*(UNTIL|COUNT)\s*=\s*(\d{1,8})", re.IGNORECASE)
_STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})")


@dataclass(frozen=True, slots=True)
class Series:
    """One event with all its occurrences and overrides, or one that happens once.

    Attributes:
        id: of the object's URL and the UID, so that it stays while the object does.
        href, etag: of the object.
        first_start: unix seconds; None when nothing in it has a readable start.
        last_end: unix seconds by which it is over; None when that is never, or too far away to matter.
        is_recurring: it has to be expanded.
        ics: the whole object.
    """

    id: str
    href: str
    etag: str
    uid: str
    first_start: int | None
    last_end: int | None
    is_recurring: bool
    ics: bytes = field(repr=False)

    @property
    def members(self) -> list[ParsedEvent]:
        """The master and its overrides, as they are written."""
        return [event for event in parse_calendar_object(self.ics) if event.uid == self.uid]

    def occurrences(self, start: int, end: int) -> tuple[list[ParsedEvent], int | None]:
        """What happens within [start, end), in order, and the start from which on some may be missing.

        Args:
            start, end: unix seconds, at most LONGEST_S apart.
        """
        found = expand(self.ics, start, end)
        last = found[-1].when if len(found) >= MAX_OCCURRENCES else None
        starts = {e.original_start: span(e.when)[0] for e in self.members if e.original_start is not None and e.when}
        return [_told_apart(event, starts) for event in found if event.uid == self.uid], span(last)[0] if last else None


def series_of(grant_id: str, found: CalendarObject) -> list[Series]:
    """The series of an object, one of them as a rule; an object without events is one that never happens."""
    by_uid: dict[str, list[ParsedEvent]] = {}
    for event in parse_calendar_object(found.data):
        by_uid.setdefault(event.uid, []).append(event)
    return [_series(grant_id, found, uid, members) for uid, members in list(by_uid.items() or [("", [])])[:MAX_SERIES]]


def _told_apart(event: ParsedEvent, starts: dict[int, int]) -> ParsedEvent:
    """An occurrence that an override has moved together with all later ones, under an original start of its own.

    Expansion gives every one of them that of the override.

    Args:
        starts: where overrides begin, by their original start.
    """
    if event.when is None or event.original_start not in starts:
        return event
    later = span(event.when)[0] - starts[event.original_start]
    return replace(event, original_start=event.original_start + later) if later else event


def span(when: When) -> tuple[int, int]:
    """From when to when, in unix seconds; days are days in UTC."""
    match when:
        case Timespan(start, end):
            return start, end
        case Day(day):
            start = _midnight(day.year, day.month, day.day)
            return start, start + DAY_S
        case Datespan(first, free):
            return _midnight(first.year, first.month, first.day), _midnight(free.year, free.month, free.day)


def _series(grant_id: str, found: CalendarObject, uid: str, members: list[ParsedEvent]) -> Series:
    recurring = len(members) > 1 or any(e.rrule or e.rdate or e.recurrence_id for e in members)
    spans = [span(event.when) for event in members if event.when is not None]
    first: int | None = None
    last: int | None = None
    if spans:
        dates = [at for event in members for at in _days(event.rdate)]
        first = min([start for start, _ in spans] + dates)
        last = _over_by(found.data, members, first) if recurring else max(end for _, end in spans)
    return Series(
        id=digest_id(grant_id, "event", found.url, uid),
        href=found.url,
        etag=found.etag,
        uid=uid,
        first_start=first,
        last_end=last,
        is_recurring=recurring and first is not None,
        ics=found.data,
    )


def _over_by(ics: bytes, members: Sequence[ParsedEvent], first: int) -> int | None:
    """A moment after which nothing of a recurring series happens; None when there is none within reach.

    It may be later than the true end by some days. That only costs a look.
    """
    spans = [span(event.when) for event in members if event.when is not None]
    ends = [end for _, end in spans]
    # What an override that moves all later occurrences adds, and how long one occurrence lasts.
    slack = max(end - start for start, end in spans) + 2 * DAY_S
    slack += max((abs(span(e.when)[0] - e.original_start) for e in members if e.when and e.original_start), default=0)
    ends.extend(at + slack for event in members for at in _days(event.rdate))
    for event in members:
        for rule in event.rrule:
            limits = {name.upper(): value for name, value in _PART.findall(rule)}
            until = next(_days([limits.get("UNTIL", "")]), None)
            if until is None and "COUNT" in limits:
                until = _last_counted(ics, members, first, int(limits["COUNT"]))
            if until is None:
                return None
            ends.append(until + slack)
    return max(ends) if max(ends) - first <= LONGEST_S else None


def _last_counted(ics: bytes, members: Sequence[ParsedEvent], first: int, count: int) -> int | None:
    """The end of the last occurrence of a counted rule, if all of them are certain to have been seen."""
    if count >= MAX_OCCURRENCES:
        return None
    uid = members[0].uid
    seen = [event for event in expand(ics, first, first + LONGEST_S) if event.uid == uid and event.when is not None]
    certain = len(seen) - sum(len(event.rdate) for event in members)
    if certain < count - sum(len(event.exdate) for event in members):
        return None
    return max((span(event.when)[1] for event in seen if event.when), default=first)


def _days(stamps: Sequence[str]) -> Iterator[int]:
    """Midnight UTC of each of these days, or moments, that is one."""
    for stamp in stamps:
        if match := _STAMP.match(stamp):
            try:
                yield _midnight(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                continue


def _midnight(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())
