"""Keeping calendars in step with a real Radicale, and reading them: stored, or live as long as nothing is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mooring.applications import Applications
from mooring.calendars import LONGEST_S, CalendarReader, EventQuery
from mooring.clock import SystemClock
from mooring.errors import InvalidRequest, LostOwnership, NotFound, ProviderFailure
from mooring.grants import Grant, Handover, Keys
from mooring.store import Database, ObjectStore
from mooring.sync import Calendars, LiveCalendars, Worker
from mooring.sync.calendars import CalendarSync
from mooring.vault import Vault
from tests.protocol.caldav.conftest import Radicale, radicale
from tests.store.calendar_grants import DAV, Loopback, claim, make_grant, server_of
from tests.unit.calendars.objects import at, ics
from tests.waiting import until_async

__all__ = ["radicale"]

JUNE = EventQuery(start=at(2026, 6, 1), end=at(2026, 7, 1))
MAKE = (
    '<c:mkcalendar xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><set><prop><displayname>{}</displayname>'
    '<c:supported-calendar-component-set><c:comp name="{}"/></c:supported-calendar-component-set></prop></set>'
    "</c:mkcalendar>"
)


@dataclass
class Account:
    """Ann's account: what she does with her calendars, and what Mooring makes of it."""

    database: Database
    grant: Grant
    keys: Keys
    sessions: Loopback
    calendars: Calendars
    sync: CalendarSync
    do: Callable[..., Awaitable[None]]

    async def titles(self, calendar: str = "primary", query: EventQuery = JUNE) -> list[str]:
        return [event.title for event in (await self.calendars.events(self.grant, calendar, query)).events]


@pytest.fixture
async def account(database: Database, tmp_path: Path, radicale: Radicale) -> AsyncIterator[Account]:
    password = radicale.users["ann"]
    grant, keys = await make_grant(database, tmp_path, password=password)
    sessions = Loopback(radicale.url)
    clock = SystemClock()
    calendars = Calendars(CalendarReader(database), LiveCalendars(sessions, keys, clock), keys, clock)
    lease = await claim(database, grant)
    sync = CalendarSync(database, keys, sessions, grant=grant, server=server_of(grant), lease=lease)
    async with httpx.AsyncClient(base_url=radicale.url, auth=("ann", password), trust_env=False) as http:

        async def do(method: str, path: str, content: bytes | str = b"") -> None:
            (await http.request(method, f"ann/{path}", content=content)).raise_for_status()

        await http.request("DELETE", "ann/")
        await do("MKCALENDAR", "work/", MAKE.format("Work", "VEVENT"))
        await do("MKCALENDAR", "tasks/", MAKE.format("Tasks", "VTODO"))
        await do("PUT", "work/a.ics", ics("UID:a|DTSTAMP:20260101T000000Z|DTSTART:20260602T090000Z|SUMMARY:first"))
        yield Account(database, grant, keys, sessions, calendars, sync, do)


def event(uid: str, day: int, title: str, more: str = "") -> bytes:
    return ics(f"UID:{uid}|DTSTAMP:20260101T000000Z|DTSTART:202606{day:02}T090000Z|DURATION:PT1H|SUMMARY:{title}{more}")


async def test_live_until_stored_and_the_same_either_way(account: Account) -> None:
    await account.do("PUT", "work/w.ics", event("w", 3, "weekly", "|RRULE:FREQ=WEEKLY"))
    live = await account.calendars.events(account.grant, "primary", JUNE)
    found, synced_at = await account.calendars.calendars(account.grant)
    assert (live.synced_at, synced_at) == (None, None)
    assert [calendar.name for calendar in found] == ["Work"]

    await account.sync.synchronise()
    account.sessions.asked.clear()
    page = await account.calendars.events(account.grant, found[0].id, JUNE)
    assert page.events == live.events
    assert [one.title for one in page.events] == ["first", "weekly", "weekly", "weekly", "weekly"]
    assert page.synced_at is not None
    assert (await account.calendars.calendars(account.grant))[1] is not None
    for one in page.events:
        assert await account.calendars.event(account.grant, "primary", one.id) == one
    assert account.sessions.asked == []


async def test_live_looks_into_one_year_are_one_look(account: Account) -> None:
    for day in (1, 2, 3):
        await account.titles(query=EventQuery(start=at(2026, 6, day), end=at(2026, 7, day)))
    assert account.sessions.reports() == 1
    assert await account.titles(query=EventQuery(start=at(2031), end=at(2032))) == []
    assert await account.titles(query=EventQuery(start=-(10**11))) == ["first"]
    assert await account.titles(query=EventQuery(end=10**11)) == ["first"]
    assert account.sessions.reports() == 3


async def test_an_event_is_found_live(account: Account) -> None:
    await account.do("PUT", "work/w.ics", event("w", 3, "weekly", "|RRULE:FREQ=WEEKLY"))
    for one in (await account.calendars.events(account.grant, "primary", JUNE)).events:
        assert await account.calendars.event(account.grant, "primary", one.id) == one
    with pytest.raises(NotFound):
        await account.calendars.event(account.grant, "primary", "nothing")


async def test_changes_are_followed(account: Account) -> None:
    await account.sync.synchronise()
    await account.do("PUT", "work/b.ics", event("b", 5, "second"))
    await account.do("PUT", "work/a.ics", event("a", 9, "first again"))
    await account.sync.synchronise()
    assert await account.titles() == ["second", "first again"]
    await account.do("DELETE", "work/b.ics")
    await account.sync.synchronise()
    assert await account.titles() == ["first again"]
    assert account.sessions.reports() > 0
    await account.sync.synchronise()
    assert account.sessions.reports() == 0


async def test_a_forgotten_token_costs_a_listing_and_loses_nothing(account: Account) -> None:
    await account.sync.synchronise()
    await account.do("DELETE", "work/a.ics")
    await account.do("PUT", "work/b.ics", event("b", 5, "second"))
    forgotten = "http://radicale.org/ns/sync/" + "0" * 64
    await account.database.execute("UPDATE calendars SET sync_token = $1, ctag = ''", forgotten)
    await account.sync.synchronise()
    assert await account.titles() == ["second"]


async def test_many_objects_are_fetched_in_batches(account: Account) -> None:
    for number in range(130):
        await account.do("PUT", f"work/n{number}.ics", event(str(number), 20, str(number)))
    await account.sync.synchronise()
    titles: list[str] = []
    cursor: str | None = None
    while len(titles) < 131:
        page = await account.calendars.events(account.grant, "primary", EventQuery(cursor=cursor))
        titles += [one.title for one in page.events]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert titles[0] == "first"
    assert sorted(titles[1:], key=int) == [str(number) for number in range(130)]


async def test_a_calendar_that_is_gone_takes_its_events_with_it(account: Account) -> None:
    await account.do("MKCALENDAR", "other/", MAKE.format("Other", "VEVENT"))
    await account.do("PUT", "other/x.ics", event("x", 5, "x"))
    await account.sync.synchronise()
    assert len((await account.calendars.calendars(account.grant))[0]) == 2
    await account.do("DELETE", "other/")
    await account.sync.synchronise()
    assert [calendar.name for calendar in (await account.calendars.calendars(account.grant))[0]] == ["Work"]
    assert await account.database.fetchval("SELECT count(*) FROM calendar_objects") == 1


async def test_one_calendar_that_is_refused_keeps_no_other_from_being_read(account: Account) -> None:
    await account.do("MKCALENDAR", "other/", MAKE.format("Other", "VEVENT"))
    await account.sync.synchronise()
    ids = {calendar.name: calendar.id for calendar in (await account.calendars.calendars(account.grant))[0]}
    await account.database.execute(
        "UPDATE calendars SET ctag = '', sync_token = '', url = $2 WHERE id = $1", ids["Other"], f"{DAV}bob/none/"
    )
    await account.do("PUT", "work/b.ics", event("b", 5, "second"))
    await account.sync.synchronise()
    assert await account.titles(ids["Work"]) == ["first", "second"]
    errors = {row["name"]: row["error"] for row in await account.database.fetch("SELECT name, error FROM calendars")}
    assert errors["Work"] is None
    assert errors["Other"]["reason"] == "refused"
    assert errors["Other"]["stage"] == "calendar"


async def test_a_server_that_fails_is_answered_as_such_once_and_never_as_an_empty_list(account: Account) -> None:
    account.sessions.failure = httpx.Response(503, text="closed for repairs")
    for _ in range(3):
        with pytest.raises(ProviderFailure) as failed:
            await account.calendars.events(account.grant, "primary", JUNE)
        assert failed.value.stage == "calendar"
        assert "closed for repairs" in failed.value.server_said
    assert len({path for _, path in account.sessions.asked}) == len(account.sessions.asked)
    with pytest.raises(ProviderFailure):
        await account.sync.synchronise()
    assert await account.database.fetchval("SELECT count(*) FROM calendars") == 0


async def test_a_failure_does_not_stand_for_what_was_changed_since(account: Account) -> None:
    account.sessions.failure = httpx.Response(401, text="who?")
    with pytest.raises(ProviderFailure):
        await account.calendars.calendars(account.grant)
    account.sessions.failure = None
    with pytest.raises(ProviderFailure, match="Found"):
        await account.calendars.calendars(account.grant)
    changed = replace(account.grant, updated_at=account.grant.updated_at + timedelta(seconds=1))
    found, _ = await account.calendars.calendars(changed)
    assert [calendar.name for calendar in found] == ["Work"]


async def test_the_stored_copy_is_served_while_the_server_fails(account: Account) -> None:
    await account.sync.synchronise()
    account.sessions.failure = httpx.Response(503)
    with pytest.raises(ProviderFailure):
        await account.sync.synchronise()
    assert await account.titles() == ["first"]


async def test_a_wrong_password_is_said_without_it(database: Database, tmp_path: Path, radicale: Radicale) -> None:
    grant, keys = await make_grant(database, tmp_path, password="not-the-password")
    live = LiveCalendars(Loopback(radicale.url), keys, SystemClock())
    with pytest.raises(ProviderFailure) as failed:
        await live.calendars(grant)
    assert failed.value.reason == "authentication"
    assert "not-the-password" not in repr(failed.value) + failed.value.message + failed.value.server_said


async def test_who_has_lost_the_lease_stops(account: Account) -> None:
    await account.sync.synchronise()
    await account.database.execute("UPDATE leases SET generation = generation + 1")
    with pytest.raises(LostOwnership):
        await account.sync.synchronise()
    await account.sync.run()


async def test_a_worker_keeps_calendars_in_step_while_mail_cannot_be_reached(account: Account, tmp_path: Path) -> None:
    database = account.database
    objects = ObjectStore.open(f"file://{tmp_path}/objects")
    await database.execute("UPDATE leases SET holder = NULL")
    handover = Handover(database, Applications(database, Vault.load(tmp_path / "mooring.keys")))
    worker = asyncio.create_task(
        Worker(
            database,
            objects,
            account.keys,
            account.sessions,
            SystemClock(),
            handover,
            lease=timedelta(minutes=5),
            environments=None,
            window=timedelta(days=1),
        ).run()
    )
    await until_async(lambda: database.fetchval("SELECT true FROM calendars WHERE fetched_at IS NOT NULL"))
    await until_async(lambda: database.fetchval("SELECT true FROM grants WHERE sync_error IS NOT NULL"))
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert await account.titles() == ["first"]
    assert await database.fetchval("SELECT count(*) FROM leases WHERE holder IS NOT NULL") == 0


async def test_questions_that_have_no_answer(account: Account) -> None:
    with pytest.raises(NotFound):
        await account.calendars.calendar(account.grant, "nothing")
    with pytest.raises(InvalidRequest, match="start must be before end"):
        await account.titles(query=EventQuery(start=5, end=5))
    with pytest.raises(InvalidRequest, match=r"more than 3660 days \(ten years\)"):
        await account.titles(query=EventQuery(start=0, end=LONGEST_S + 1))
    await account.titles(query=EventQuery(start=0, end=LONGEST_S))
    await account.sync.synchronise()
    with pytest.raises(NotFound):
        await account.titles("nothing")
    with pytest.raises(InvalidRequest):
        await account.titles(query=EventQuery(cursor="nothing"))


async def test_a_grant_without_a_calendar_server(database: Database, tmp_path: Path) -> None:
    grant, keys = await make_grant(database, tmp_path, url=None)
    clock = SystemClock()
    calendars = Calendars(CalendarReader(database), LiveCalendars(Loopback(), keys, clock), keys, clock)
    with pytest.raises(InvalidRequest, match="This grant has no calendar server") as refused:
        await calendars.calendars(grant)
    assert "caldav_url" in refused.value.hint
