"""Writing the stored calendars: each step one fenced transaction."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mooring.calendars import repository
from mooring.calendars.series import Series, series_of
from mooring.calendars.types import Calendar
from mooring.events import EventType, Fact, append
from mooring.grants import Grant
from mooring.jobs import Lease, fenced
from mooring.protocols.caldav import CalendarObject
from mooring.store import Connection, Database
from mooring.vault import DataKey


def body_context(series_id: str) -> bytes:
    """What a sealed calendar object is bound to."""
    return b"calendar_object:" + series_id.encode()


class CalendarWriter:
    """The one writer of a grant's stored calendars, for as long as its lease holds.

    Raises, all methods that write: LostOwnership, and then nothing was written.
    """

    def __init__(self, db: Database, grant: Grant, lease: Lease, key: DataKey) -> None:
        self._db = db
        self._grant = grant
        self._lease = lease
        self._key = key

    async def calendars(self) -> list[Calendar]:
        """What is known of the grant's calendars."""
        return await repository.calendars(self._db, self._grant.id)

    async def set_calendars(self, listed: Sequence[Calendar]) -> list[Calendar]:
        """Make the calendars those that the server lists; returns them as they are known now."""
        known = {calendar.id: calendar for calendar in await self.calendars()}
        gone = known.keys() - {calendar.id for calendar in listed}
        async with fenced(self._db, self._lease) as tx:
            for calendar in listed:
                await repository.upsert_calendar(tx, calendar)
            if gone:
                await repository.delete_calendars(tx, self._grant.id, list(gone))
            if known:
                await self._append(tx, [*_listed_facts(known, listed), *_facts(EventType.CALENDAR_DELETED, gone)])
        return await self.calendars()

    async def etags(self, calendar: Calendar) -> dict[str, str]:
        """The etag of every stored object, by its URL."""
        return await repository.etags(self._db, calendar)

    async def put(self, calendar: Calendar, objects: Sequence[CalendarObject]) -> None:
        """Store these objects, each in the place of what was stored of it."""
        sealed = await asyncio.to_thread(self._sealed, objects)
        now = {series.id for series, _ in sealed}
        async with fenced(self._db, self._lease) as tx:
            before = await repository.remove_objects(tx, calendar, [found.url for found in objects])
            await repository.insert_series(tx, calendar, sealed)
            if calendar.fetched_at is not None:
                changed = [s.id for s, _ in sealed if s.id in before and before[s.id] != s.etag]
                await self._append(
                    tx,
                    [
                        *_facts(EventType.EVENT_CREATED, now - before.keys(), calendar),
                        *_facts(EventType.EVENT_UPDATED, changed, calendar),
                        *_facts(EventType.EVENT_DELETED, before.keys() - now, calendar),
                    ],
                )

    async def remove(self, calendar: Calendar, urls: Iterable[str]) -> None:
        """Forget objects that the server no longer has."""
        async with fenced(self._db, self._lease) as tx:
            before = await repository.remove_objects(tx, calendar, urls)
            await self._append(tx, _facts(EventType.EVENT_DELETED, before, calendar))

    async def mark(
        self, calendar: Calendar, *, ctag: str, sync_token: str, error: dict[str, Any] | None = None
    ) -> None:
        """Write that the calendar has been read to its end, and what stood for its state.

        Args:
            error: what could not be read of it all the same.
        """
        async with fenced(self._db, self._lease) as tx:
            await repository.mark_calendar(tx, calendar, ctag=ctag, sync_token=sync_token, error=error)

    async def fail(self, calendar: Calendar | None, error: dict[str, Any]) -> None:
        """Write why this calendar, or (None) every one of the grant, cannot be read just now."""
        async with fenced(self._db, self._lease) as tx:
            await repository.fail_calendars(tx, self._grant.id, calendar.id if calendar else None, error)

    async def _append(self, tx: Connection, facts: Sequence[Fact]) -> None:
        await append(tx, application_id=self._grant.application_id, grant_id=self._grant.id, facts=facts)

    def _sealed(self, objects: Sequence[CalendarObject]) -> list[tuple[Series, bytes]]:
        series = {s.id: s for found in objects for s in series_of(self._grant.id, found)}
        return [(s, self._key.pack(s.ics, body_context(s.id))) for s in series.values()]


def _facts(kind: EventType, ids: Iterable[str], calendar: Calendar | None = None) -> list[Fact]:
    """A fact for each of these, in one order; calendars themselves without a calendar."""
    within = {"calendar_id": calendar.id} if calendar is not None else {}
    return [Fact(kind, {"id": identity, **within}) for identity in sorted(ids)]


def _listed_facts(known: Mapping[str, Calendar], listed: Sequence[Calendar]) -> Iterator[Fact]:
    """What a list of calendars says that was not known."""
    for calendar in listed:
        before = known.get(calendar.id)
        if before is None:
            yield Fact(EventType.CALENDAR_CREATED, {"id": calendar.id})
        elif _described(before) != _described(calendar):
            yield Fact(EventType.CALENDAR_UPDATED, {"id": calendar.id})


def _described(calendar: Calendar) -> tuple[str | bool, ...]:
    """What people see of a calendar."""
    return (
        calendar.name, calendar.description, calendar.timezone, calendar.hex_color, calendar.read_only,
        calendar.is_primary,
    )  # fmt: skip
