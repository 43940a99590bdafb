"""Reading the stored calendars: rows and sealed objects into events."""

import asyncio
from collections.abc import Sequence

from mooring.calendars import repository
from mooring.calendars.pages import Key, Reach, find, page
from mooring.calendars.records import split_id
from mooring.calendars.series import Series
from mooring.calendars.types import Calendar, Event, EventQuery
from mooring.calendars.writer import body_context
from mooring.grants import Grant
from mooring.store import Database, Record
from mooring.vault import DataKey


class CalendarReader:
    """Reads what is stored of any grant's calendars."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def calendars(self, grant: Grant) -> list[Calendar]:
        """Every calendar, the primary one first."""
        return await repository.calendars(self._db, grant.id)

    async def page(
        self, calendar: Calendar, key: DataKey, query: EventQuery, now: int
    ) -> tuple[list[Event], str | None]:
        """One page of events, and the cursor of the next, or None; what it spans is told at ``pages.page``.

        Args:
            now: unix seconds.

        Raises:
            InvalidRequest: the cursor is none.
        """
        return await page(_StoredAgenda(self._db, calendar, key), calendar, query, now)

    async def event(self, calendar: Calendar, key: DataKey, event_id: str) -> Event | None:
        """One event or occurrence, or None when it is not stored."""
        row = await repository.series(self._db, calendar, split_id(event_id)[0])
        if row is None:
            return None
        return await asyncio.to_thread(lambda: find(_series(row, key), calendar, event_id))


class _StoredAgenda:
    """The stored series of one calendar, opened with the grant's key."""

    def __init__(self, db: Database, calendar: Calendar, key: DataKey) -> None:
        self._db = db
        self._calendar = calendar
        self._key = key

    async def singles(self, reach: Reach, after: Key, limit: int) -> Sequence[Series]:
        return await self._opened(
            await repository.singles(self._db, self._calendar, reach.since, reach.until, reach.uid, after, limit)
        )

    async def recurring(self, reach: Reach) -> Sequence[Series]:
        return await self._opened(
            await repository.recurring(self._db, self._calendar, reach.since, reach.until, reach.uid)
        )

    async def _opened(self, rows: list[Record]) -> list[Series]:
        return await asyncio.to_thread(lambda: [_series(row, self._key) for row in rows])


def _series(row: Record, key: DataKey) -> Series:
    return Series(
        id=row["id"],
        href=row["href"],
        etag=row["etag"],
        uid=row["uid"],
        first_start=row["first_start"],
        last_end=row["last_end"],
        is_recurring=row["recurring"],
        ics=key.unpack(row["body"], body_context(row["id"])),
    )
