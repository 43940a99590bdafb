"""Series that are only held in memory, read by the same rules as stored ones."""

from collections.abc import Sequence

from mooring.calendars.pages import Key, Reach, find, page
from mooring.calendars.records import split_id
from mooring.calendars.series import Series
from mooring.calendars.types import Calendar, Event, EventQuery


class HeldSeries:
    """Series of one calendar that nothing is stored of."""

    def __init__(self, calendar: Calendar, series: Sequence[Series]) -> None:
        self._calendar = calendar
        self._series = {one.id: one for one in series if one.first_start is not None}

    async def page(self, query: EventQuery, now: int) -> tuple[list[Event], str | None]:
        """As ``CalendarReader.page``."""
        return await page(self, self._calendar, query, now)

    def event(self, event_id: str) -> Event | None:
        """One event or occurrence, or None. CPU-bound, for one object."""
        series = self._series.get(split_id(event_id)[0])
        return find(series, self._calendar, event_id) if series else None

    async def singles(self, reach: Reach, after: Key, limit: int) -> Sequence[Series]:
        found = [one for one in self._touching(reach) if not one.is_recurring and _key(one) > after]
        return sorted(found, key=_key)[:limit]

    async def recurring(self, reach: Reach) -> Sequence[Series]:
        return [one for one in self._touching(reach) if one.is_recurring]

    def _touching(self, reach: Reach) -> list[Series]:
        return [one for one in self._series.values() if _touches(one, reach)]


def _key(series: Series) -> Key:
    return series.first_start or 0, series.id


def _touches(series: Series, reach: Reach) -> bool:
    start, end = series.first_start or 0, series.last_end
    begins_in_time = start < reach.until and (end is None or end > reach.since or start >= reach.since)
    return begins_in_time and reach.uid in {None, series.uid}
