"""Reading calendars for the doors: the stored copy, or live from the server as long as there is none (spec §6.9)."""

import asyncio
from datetime import datetime

from mooring.calendars import DAY_S, LONGEST_S, Calendar, CalendarReader, Event, EventPage, EventQuery, split_id
from mooring.clock import Clock
from mooring.errors import InvalidRequest, NotFound
from mooring.grants import Grant, Keys
from mooring.sync.calendar_live import LiveCalendars

PRIMARY = "primary"
"""What stands for the id of the primary calendar."""


class Calendars:
    """Calendars and events of any grant, for whoever asks.

    Raises, all methods:
        InvalidRequest: the grant has no calendar server.
        ProviderFailure, EgressError, TargetNotAllowed: nothing is stored, and the server could not be asked.
            Never an empty list for "could not look".
    """

    def __init__(self, reader: CalendarReader, live: LiveCalendars, keys: Keys, clock: Clock) -> None:
        self._reader = reader
        self._live = live
        self._keys = keys
        self._clock = clock

    async def calendars(self, grant: Grant) -> tuple[list[Calendar], datetime | None]:
        """The calendars, the primary one first, and how fresh they are; None: as of now, from the server."""
        _require_server(grant)
        stored = await self._reader.calendars(grant)
        if stored:
            return stored, max((c.synced_at for c in stored if c.synced_at), default=None)
        found = await self._live.calendars(grant)
        return sorted(found, key=lambda c: (not c.is_primary, c.name, c.id)), None

    async def calendar(self, grant: Grant, calendar_id: str) -> Calendar:
        """One calendar, by its id or as ``primary``. Raises: NotFound."""
        calendars, _ = await self.calendars(grant)
        if calendar_id == PRIMARY and calendars:
            return calendars[0]
        found = next((calendar for calendar in calendars if calendar.id == calendar_id), None)
        if found is None:
            raise NotFound(f"This grant has no calendar {calendar_id!r}.", hint="GET …/calendars lists their ids.")
        return found

    async def events(self, grant: Grant, calendar_id: str, query: EventQuery) -> EventPage:
        """A page of events that touch [start, end), earliest first, recurring ones as their occurrences.

        Without start or end the stored copy gives every single event, and endless series from a year ago to a
        year ahead (``calendars/pages.py``); a live look gives what touches the years around now.

        Raises:
            NotFound: no such calendar.
            InvalidRequest: start is not before end, or more than LONGEST_S; or the cursor is none.
        """
        _check_window(query.start, query.end)
        calendar = await self.calendar(grant, calendar_id)
        now = int(self._clock.now().timestamp())
        if calendar.fetched_at is None:
            held = await self._live.series(grant, calendar, query.start, query.end)
            events, cursor = await held.page(query, now)
            return EventPage(events, cursor, None)
        key = await self._keys.data_key(grant)
        events, cursor = await self._reader.page(calendar, key, query, now)
        return EventPage(events, cursor, calendar.synced_at or calendar.fetched_at)

    async def event(self, grant: Grant, calendar_id: str, event_id: str) -> Event:
        """One event, or one occurrence of a recurring one. Raises: NotFound."""
        calendar = await self.calendar(grant, calendar_id)
        if calendar.fetched_at is None:
            at = split_id(event_id)[1]
            held = await self._live.series(grant, calendar, at, at)
            found = await asyncio.to_thread(held.event, event_id)
        else:
            found = await self._reader.event(calendar, await self._keys.data_key(grant), event_id)
        if found is None:
            raise NotFound(f"This calendar has no event {event_id!r}.")
        return found


def _check_window(start: int | None, end: int | None) -> None:
    """Series that never end are expanded over ten years at most, and a list with some left out would not say so."""
    if start is None or end is None:
        return
    if start >= end:
        raise InvalidRequest("start must be before end.")
    if end - start > LONGEST_S:
        raise InvalidRequest(
            f"From start to end are more than {LONGEST_S // DAY_S} days (ten years).",
            hint="Ask for less at once, or leave start or end out: what does not recur for ever is then listed whole.",
        )


def _require_server(grant: Grant) -> None:
    if grant.settings.caldav is None:
        raise InvalidRequest(
            "This grant has no calendar server.", hint="Set settings.caldav_url of the grant to have one."
        )
