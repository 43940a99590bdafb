"""Asking the calendar server itself, for as long as nothing is stored of a calendar (spec §6.9)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from mooring.calendars import Calendar, HeldSeries, Series, calendars_of, series_of
from mooring.clock import Clock
from mooring.egress import Traffic
from mooring.errors import InvalidRequest, ServerRefused
from mooring.grants import Grant, Keys, Sessions, calendar_attempt, require_running, way_of
from mooring.protocols.caldav import CalDavClient, CalendarObject
from mooring.sync.flights import Flights, question

T = TypeVar("T")

TOTAL_S = 35.0
"""Seconds for one look: a failure is answered within 40 (spec §6.8)."""
YEAR = timedelta(days=365)
FIRST_YEAR, LAST_YEAR = 1900, 2999
"""What a live look can reach; servers fail at the ends of their own calendars."""


class LiveCalendars:
    """Reads from the server, by the way of the class ``live``; each calendar by one look at a time."""

    def __init__(self, sessions: Sessions, keys: Keys, clock: Clock) -> None:
        self._sessions = sessions
        self._keys = keys
        self._clock = clock
        self._calendars = Flights[list[Calendar]](clock)
        self._series = Flights[HeldSeries](clock)

    async def calendars(self, grant: Grant) -> list[Calendar]:
        """The calendars that the server lists.

        Raises:
            ProviderFailure, EgressError, TargetNotAllowed.
            InvalidRequest: the grant has no calendar server.
        """

        async def work(client: CalDavClient) -> list[Calendar]:
            return calendars_of(grant.id, await client.calendars(await client.discover()))

        return await self._calendars.ask(question(grant), lambda: self._look(grant, work))

    async def series(self, grant: Grant, calendar: Calendar, start: int | None, end: int | None) -> HeldSeries:
        """What touches the years from start to end; from a year ago to a year ahead where they are None.

        Whole years, so that a client that asks from "now" on does not ask the server each time.

        Args:
            start, end: unix seconds.

        Raises: as ``calendars``.
        """
        first, last = self._years(start, end)

        async def work(client: CalDavClient) -> HeldSeries:
            found = await client.events(
                calendar.url, datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
            )
            if found.refused and not found.objects:
                said = next(iter(found.refused.values()))
                raise ServerRefused("the server gave none of the objects that it listed", reply=said, permanent=False)
            series = await asyncio.to_thread(_all_series, grant.id, found.objects)
            return HeldSeries(calendar, series)

        key = (*question(grant), calendar.url, first, last)
        return await self._series.ask(key, lambda: self._look(grant, work))

    def _years(self, start: int | None, end: int | None) -> tuple[int, int]:
        now = self._clock.now()
        first = _year(start) if start is not None else min((now - YEAR).year, _year(end))
        last = _year(end) if end is not None else max((now + YEAR).year, first)
        return min(first, last), max(first, last)

    async def _look(self, grant: Grant, work: Callable[[CalDavClient], Awaitable[T]]) -> T:
        server = grant.settings.caldav
        if server is None:
            raise InvalidRequest("This grant has no calendar server.", hint="Set settings.caldav_url of the grant.")
        require_running(grant)
        password = (await self._keys.credentials(grant)).caldav_password
        attempt = calendar_attempt(way_of(grant, Traffic.LIVE), server, password)
        try:
            async with asyncio.timeout(TOTAL_S), self._sessions.http(attempt) as http:
                with attempt.reported():
                    return await work(CalDavClient(http, server.url, server.username, password))
        except TimeoutError as e:
            raise attempt.timed_out(TOTAL_S) from e


def _all_series(grant_id: str, objects: tuple[CalendarObject, ...]) -> list[Series]:
    return [series for found in objects for series in series_of(grant_id, found)]


def _year(at: int | None) -> int:
    """The year of a moment, within reach; the last one for None."""
    if at is None:
        return LAST_YEAR
    earliest, latest = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    return datetime.fromtimestamp(min(max(at, earliest.timestamp()), latest.timestamp()), UTC).year
