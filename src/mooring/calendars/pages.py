"""A page of events, earliest first, out of what happens once and what has to be expanded.

What happens once comes in order, a chunk at a time; what recurs is expanded just as far as the chunk
reaches. So a page costs as much as the events that are on it, however long a calendar has been kept.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mooring.calendars.records import event_of, split_id
from mooring.calendars.series import DAY_S, LONGEST_S, Series, span
from mooring.calendars.types import Calendar, Event, EventQuery
from mooring.errors import InvalidRequest
from mooring.protocols.ical import EventStatus, ParsedEvent

Key: TypeAlias = tuple[int, str]
"""What events are ordered by: start in unix seconds, id."""

YEAR_S = 365 * DAY_S
CHUNK = 500
"""Single events that are looked at together once filters have thinned out the first ones."""

_FIRST, _LAST = -(2**62), 2**62
BEGIN: Key = (_FIRST, "")
END: Key = (_LAST, "")


@dataclass(frozen=True, slots=True)
class Reach:
    """What touches [since, until), of any UID or of one."""

    since: int
    until: int
    uid: str | None = None


class Agenda(Protocol):
    """Where the series of one calendar come from."""

    async def singles(self, reach: Reach, after: Key, limit: int) -> Sequence[Series]:
        """What happens once, by (start, id), behind ``after``."""
        ...

    async def recurring(self, reach: Reach) -> Sequence[Series]:
        """What recurs; it may turn out not to touch the reach."""
        ...


async def page(agenda: Agenda, calendar: Calendar, query: EventQuery, now: int) -> tuple[list[Event], str | None]:
    """One page of the events that touch [start, end), and the cursor of the next, or None.

    Recurring events come as their occurrences. Where the query leaves start or end open, single events and
    series that end within ten years are listed from or to their true ends, and endless series from a year
    before now or to a year after it; a bound that is far away lets endless ones reach ten years from now.

    Raises:
        InvalidRequest: the cursor is none of ours.
    """
    bounds = _Bounds(query, now)
    after = read_cursor(query.cursor) if query.cursor is not None else BEGIN
    found: list[tuple[Key, Event]] = []
    size = query.limit + 1
    while len(found) <= query.limit and after < END:
        singles = await agenda.singles(bounds.reach, after, size)
        horizon = (singles[-1].first_start or 0, singles[-1].id) if len(singles) == size else END
        recurring = await agenda.recurring(bounds.between(after, horizon))
        reading = _Reading(calendar, query, bounds, after, horizon)
        found += await asyncio.to_thread(reading.read, singles, recurring)
        after, size = reading.horizon, CHUNK
    events = [event for _, event in found[: query.limit]]
    return events, write_cursor(found[query.limit - 1][0]) if len(found) > query.limit else None


def find(series: Series, calendar: Calendar, event_id: str) -> Event | None:
    """The series' master, or the occurrence with this id. CPU-bound."""
    _, original_start = split_id(event_id)
    members = series.members
    match = next((event for event in members if event.original_start == original_start), None)
    if match is None and original_start is not None:
        # An occurrence that an override for all later ones has moved is not at its original time.
        for reach in (1, 31 * DAY_S):
            around, _ = series.occurrences(original_start - reach + 1, original_start + reach)
            match = match or next((event for event in around if event.original_start == original_start), None)
    if match is None or match.when is None:
        return None
    return event_of(match, match.when, calendar=calendar, series_id=series.id)


class _Bounds:
    """From when to when each series is looked at."""

    def __init__(self, query: EventQuery, now: int) -> None:
        self._start = _FIRST if query.start is None else query.start
        self._end = _LAST if query.end is None else query.end
        # Endless series also need bounds where the query sets none, or none that is of use.
        back = YEAR_S if query.start is None else LONGEST_S
        ahead = YEAR_S if query.end is None else LONGEST_S
        self._endless_start = max(self._start, min(now, self._end) - back)
        self._endless_end = min(self._end, max(now, self._start) + ahead)
        self._uid = query.ical_uid

    @property
    def reach(self) -> Reach:
        return Reach(self._start, self._end, self._uid)

    def between(self, after: Key, horizon: Key) -> Reach:
        """What is left from one key to another; what begins before the range and reaches into it touches its start."""
        return Reach(max(self._start, after[0]), min(self._end, max(horizon[0], self._start) + 1), self._uid)

    def of(self, series: Series) -> tuple[int, int]:
        """From when to when this one is to be expanded."""
        first = series.first_start or 0
        if series.last_end is None:
            return max(first, self._endless_start), self._endless_end
        return max(first, self._start), min(max(series.last_end, first + 1), self._end)


class _Reading:
    """One round: the events between two keys. CPU-bound.

    Attributes:
        horizon: up to where the round is complete; what is cut from a dense series draws it nearer.
    """

    def __init__(self, calendar: Calendar, query: EventQuery, bounds: _Bounds, after: Key, horizon: Key) -> None:
        self._calendar = calendar
        self._query = query
        self._bounds = bounds
        self._after = after
        self.horizon = horizon

    def read(self, singles: Sequence[Series], recurring: Sequence[Series]) -> list[tuple[Key, Event]]:
        """The events that match, in order."""
        parsed = [(series, event) for series in singles for event in series.members]
        for series in recurring:
            parsed += [(series, event) for event in self._occurrences(series)]
        found: dict[Key, Event] = {}
        for series, occurrence in parsed:
            if occurrence.when is None or not _matches(occurrence, self._query):
                continue
            event = event_of(occurrence, occurrence.when, calendar=self._calendar, series_id=series.id)
            key = (span(occurrence.when)[0], event.id)
            if self._after < key <= self.horizon:
                found[key] = event
        # A series that was cut only later has drawn the horizon nearer than it was for those before.
        return sorted((key, event) for key, event in found.items() if key <= self.horizon)

    def _occurrences(self, series: Series) -> list[ParsedEvent]:
        if not any(_matches(event, self._query) for event in series.members):
            return []
        start, end = self._bounds.of(series)
        end = min(end, max(self.horizon[0], start) + 1)
        start = max(start, self._after[0])
        if start >= end:
            return []
        if end - start > LONGEST_S:
            end = start + LONGEST_S
            self._cut(end)
        found, missing = series.occurrences(start, end)
        if missing is not None:
            self._cut(missing)
        return found

    def _cut(self, start: int) -> None:
        """From this start on, something may be missing. Where nothing would be left, the earliest are all there is."""
        if (start, "") > self._after:
            self.horizon = min(self.horizon, (start, ""))


def _matches(event: ParsedEvent, query: EventQuery) -> bool:
    """Whether it is one of those asked for; texts are compared without regard to case."""

    def has(wanted: str | None, text: str) -> bool:
        return wanted is None or wanted.casefold() in text.casefold()

    return (
        (query.show_cancelled or event.status is not EventStatus.CANCELLED)
        and (query.busy is None or event.busy == query.busy)
        and (query.ical_uid is None or event.uid == query.ical_uid)
        and has(query.title, event.summary)
        and has(query.location, event.location)
        and has(query.description, event.description)
    )


def write_cursor(key: Key) -> str:
    """The cursor that goes on behind this event."""
    return base64.urlsafe_b64encode(f"{key[0]}:{key[1]}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Key:
    """What ``write_cursor`` was given.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        start, _, identity = text.partition(":")
        if not identity or not _FIRST < int(start) < _LAST:
            raise ValueError(cursor)
        return int(start), identity
    except ValueError as e:
        raise InvalidRequest("page_token is not one that a page of events gave out.") from e
