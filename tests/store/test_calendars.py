"""The stored copy of calendars: written under a lease, sealed, and read in pages."""

from pathlib import Path

import pytest

from mooring.calendars import Calendar, CalendarReader, CalendarWriter, EventQuery, calendar_id
from mooring.errors import LostOwnership
from mooring.protocols.caldav import CalendarObject
from mooring.store import Database
from mooring.vault import DataKey, VaultError
from tests.store.calendar_grants import claim, make_grant
from tests.unit.calendars.objects import URL, at, ics, stored

NOW = at(2026, 6, 15)
WORK = Calendar(grant_id="g", id=calendar_id("g", URL), url=URL, name="Work", is_primary=True)
HOME = Calendar(grant_id="g", id=calendar_id("g", f"{URL}home/"), url=f"{URL}home/", name="Home")


class Room:
    """A writer and a reader of one grant."""

    def __init__(self, database: Database, writer: CalendarWriter, key: DataKey) -> None:
        self.database = database
        self.writer = writer
        self.key = key
        self.reader = CalendarReader(database)

    async def titles(self, calendar: Calendar = WORK, **query: object) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            wanted = EventQuery(limit=3, cursor=cursor, **query)  # pyright: ignore[reportArgumentType]
            events, cursor = await self.reader.page(calendar, self.key, wanted, NOW)
            found += [event.title for event in events]
            if cursor is None:
                return found


@pytest.fixture
async def room(database: Database, tmp_path: Path) -> Room:
    grant, keys = await make_grant(database, tmp_path)
    key = await keys.data_key(grant)
    opened = Room(database, CalendarWriter(database, grant, await claim(database, grant), key), key)
    await opened.writer.set_calendars([HOME, WORK])
    return opened


async def test_calendars_are_those_that_were_listed_last(room: Room) -> None:
    assert [calendar.name for calendar in await room.writer.calendars()] == ["Work", "Home"]
    await room.writer.put(HOME, [stored("a", "UID:a|DTSTART:20260601T090000Z")])
    await room.writer.mark(WORK, ctag="c", sync_token="t")
    [work] = await room.writer.set_calendars([Calendar(grant_id="g", id=WORK.id, url=URL, name="Renamed")])
    assert (work.name, work.ctag, work.sync_token) == ("Renamed", "c", "t")
    assert work.fetched_at is not None
    assert await room.database.fetchval("SELECT count(*) FROM calendar_objects") == 0


async def test_events_come_in_order_from_objects_and_series(room: Room) -> None:
    await room.writer.put(
        WORK,
        [
            stored("weekly", "UID:w|DTSTART:20260601T090000Z|RRULE:FREQ=WEEKLY;COUNT=3|SUMMARY:weekly"),
            *(stored(f"n{n}", f"UID:{n}|DTSTART:202606{n:02}T120000Z|SUMMARY:{n}") for n in (20, 2, 9, 3)),
        ],
    )
    assert await room.titles() == ["weekly", "2", "3", "weekly", "9", "weekly", "20"]
    assert await room.titles(start=at(2026, 6, 3), end=at(2026, 6, 9)) == ["3", "weekly"]
    assert await room.titles(title="WEEK") == ["weekly"] * 3
    assert await room.titles(ical_uid="20") == ["20"]
    assert await room.titles(HOME) == []


async def test_events_at_the_same_moment_are_on_one_page_each(room: Room) -> None:
    await room.writer.put(WORK, [stored(f"n{n}", f"UID:{n}|DTSTART:20260601T090000Z|SUMMARY:{n}") for n in range(20)])
    assert sorted(await room.titles(), key=int) == [str(n) for n in range(20)]


async def test_an_event_and_an_occurrence_are_found(room: Room) -> None:
    await room.writer.put(WORK, [stored("w", "UID:w|DTSTART:20260601T090000Z|RRULE:FREQ=WEEKLY|SUMMARY:weekly")])
    [event] = (await room.reader.page(WORK, room.key, EventQuery(start=at(2026, 7, 6), end=at(2026, 7, 7)), NOW))[0]
    assert await room.reader.event(WORK, room.key, event.id) == event
    assert event.master_event_id is not None
    master = await room.reader.event(WORK, room.key, event.master_event_id)
    assert master is not None
    assert master.recurrence == ["RRULE:FREQ=WEEKLY"]
    for missing in ("nothing", f"{event.master_event_id}_1", f"{event.master_event_id}_"):
        assert await room.reader.event(WORK, room.key, missing) is None
    assert await room.reader.event(HOME, room.key, event.id) is None


async def test_a_new_version_takes_the_place_of_the_old_one(room: Room) -> None:
    await room.writer.put(
        WORK, [stored("a", "UID:a|DTSTART:20260601T090000Z|SUMMARY:old", "UID:b|DTSTART:20260601T090000Z")]
    )
    url = f"{URL}a.ics"
    await room.writer.put(WORK, [CalendarObject(url, '"2"', ics("UID:a|DTSTART:20260601T090000Z|SUMMARY:new"))])
    assert await room.titles() == ["new"]
    assert await room.writer.etags(WORK) == {url: '"2"'}
    await room.writer.remove(WORK, [url])
    assert await room.titles() == []
    assert await room.writer.etags(WORK) == {}


async def test_what_is_no_event_is_remembered_and_not_shown(room: Room) -> None:
    await room.writer.put(WORK, [CalendarObject(f"{URL}t.ics", "e", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")])
    assert await room.writer.etags(WORK) == {f"{URL}t.ics": "e"}
    assert await room.titles() == []


async def test_what_is_stored_says_nothing_without_the_key_or_in_another_place(room: Room) -> None:
    await room.writer.put(
        WORK, [stored(n, f"UID:{n}|DTSTART:20260601T090000Z|SUMMARY:secret plan {n}") for n in ("a", "b")]
    )
    bodies = [row["body"] for row in await room.database.fetch("SELECT body FROM calendar_objects")]
    assert not any(b"secret" in body for body in bodies)
    with pytest.raises(VaultError):
        await room.reader.page(WORK, DataKey(bytes(32)), EventQuery(), NOW)
    await room.database.execute("UPDATE calendar_objects SET body = $1", bodies[0])
    with pytest.raises(VaultError):
        await room.reader.page(WORK, room.key, EventQuery(), NOW)


async def test_a_failure_is_kept_until_the_calendar_can_be_read(room: Room) -> None:
    await room.writer.fail(None, {"reason": "timeout"})
    await room.writer.fail(WORK, {"reason": "refused"})
    assert [c.error for c in await room.writer.calendars()] == [{"reason": "refused"}, {"reason": "timeout"}]
    await room.writer.mark(WORK, ctag="", sync_token="")
    assert [c.error for c in await room.writer.calendars()] == [None, {"reason": "timeout"}]


async def test_who_has_lost_the_lease_writes_nothing(room: Room) -> None:
    await room.database.execute("UPDATE leases SET generation = generation + 1")
    found = [stored("a", "UID:a|DTSTART:20260601T090000Z")]
    for attempt in (
        room.writer.set_calendars([]),
        room.writer.put(WORK, found),
        room.writer.remove(WORK, []),
        room.writer.mark(WORK, ctag="x", sync_token=""),
        room.writer.fail(None, {}),
    ):
        with pytest.raises(LostOwnership):
            await attempt
    assert len(await room.writer.calendars()) == 2
    assert await room.writer.etags(WORK) == {}
