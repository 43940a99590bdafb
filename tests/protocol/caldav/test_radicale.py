"""Against a real Radicale: discovery, calendars, ranges, etags, multiget and sync-collection."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from mooring.errors import AuthenticationFailed, ServerRefused
from mooring.protocols.caldav import CalDavClient, CalendarHome, NotEncrypted, SyncTokenInvalid
from tests.protocol.caldav.conftest import Radicale

MAKE = """<?xml version="1.0"?>
<c:mkcalendar xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:a="http://apple.com/ns/ical/"><set><prop>
<displayname>Arbeit &amp; Räume</displayname><c:calendar-description>where we meet</c:calendar-description>
<a:calendar-color>#FF8000FF</a:calendar-color>
<c:supported-calendar-component-set><c:comp name="VEVENT"/></c:supported-calendar-component-set>
<c:calendar-timezone>BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
BEGIN:VTIMEZONE
TZID:Europe/Zurich
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
END:VCALENDAR
</c:calendar-timezone></prop></set></c:mkcalendar>"""


def event(uid: str, start: str, rule: str = "") -> bytes:
    lines = [
        *(
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//x//EN",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20260101T000000Z",
        ),
        *(f"DTSTART:{start}", "DURATION:PT1H", f"SUMMARY:Übung {uid}", *([rule] if rule else [])),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
    return "\r\n".join(lines).encode()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def ann(http: httpx.AsyncClient, radicale: Radicale) -> CalDavClient:
    return CalDavClient(http, radicale.url, "ann", radicale.users["ann"], allow_clear=True)


@pytest.fixture
async def calendar(http: httpx.AsyncClient, radicale: Radicale) -> str:
    """The URL of a new calendar of Ann's with two events."""
    url = f"{radicale.url}ann/{uuid.uuid4()}/"
    auth = ("ann", radicale.users["ann"])
    (await http.request("MKCALENDAR", url, content=MAKE.encode(), auth=auth)).raise_for_status()
    for name, content in (
        ("june", event("june", "20260615T100000Z")),
        ("weekly@home", event("weekly", "20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=10")),
    ):
        (await http.put(f"{url}{name}.ics", content=content, auth=auth)).raise_for_status()
    return url


async def test_discovery_and_calendars(ann: CalDavClient, radicale: Radicale, calendar: str) -> None:
    home = await ann.discover()
    assert home.home_urls == (f"{radicale.url}ann/",)
    assert home.principal_url == f"{radicale.url}ann/"
    found = {info.url: info for info in await ann.calendars(home)}
    info = found[calendar]
    assert info.name == "Arbeit & Räume"
    assert info.description == "where we meet"
    assert info.color == "#ff8000"
    assert info.timezone == "Europe/Zurich"
    assert info.components == ("VEVENT",)
    assert info.ctag
    assert info.sync_token
    assert not info.is_read_only
    assert f"{radicale.url}ann/" not in found


async def test_discovery_from_a_calendars_own_address(
    http: httpx.AsyncClient, radicale: Radicale, calendar: str
) -> None:
    client = CalDavClient(http, calendar, "ann", radicale.users["ann"], allow_clear=True)
    assert (await client.discover()).home_urls == (f"{radicale.url}ann/",)


async def test_a_password_in_other_scripts(http: httpx.AsyncClient, radicale: Radicale) -> None:
    client = CalDavClient(http, radicale.url, "bob", radicale.users["bob"], allow_clear=True)
    home = await client.discover()
    assert home.home_urls == (f"{radicale.url}bob/",)
    assert await client.calendars(home) == []


async def test_a_wrong_password(http: httpx.AsyncClient, radicale: Radicale) -> None:
    client = CalDavClient(http, radicale.url, "ann", "not it", allow_clear=True)
    with pytest.raises(AuthenticationFailed) as failed:
        await client.discover()
    assert failed.value.code == "401"
    assert "not it" not in failed.value.reply


async def test_in_clear_only_when_told(http: httpx.AsyncClient, radicale: Radicale) -> None:
    with pytest.raises(NotEncrypted):
        await CalDavClient(http, radicale.url, "ann", radicale.users["ann"]).discover()


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC), {"june.ics"}),
        (datetime(2026, 1, 12, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC), {"weekly@home.ics"}),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), {"june.ics", "weekly@home.ics"}),
        (datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC), set[str]()),
    ],
)
async def test_events_in_a_range(
    ann: CalDavClient, calendar: str, start: datetime, end: datetime, names: set[str]
) -> None:
    found = await ann.events(calendar, start, end)
    assert {found_object.url.removeprefix(calendar) for found_object in found.objects} == names
    for found_object in found.objects:
        assert found_object.etag
        assert "SUMMARY:Übung" in found_object.data.decode()
    assert not found.missing
    assert not found.refused


async def test_etags_and_multiget_agree(ann: CalDavClient, calendar: str) -> None:
    etags = await ann.etags(calendar)
    gone = f"{calendar}gone.ics"
    found = await ann.multiget(calendar, [*etags, gone])
    assert {found_object.url: found_object.etag for found_object in found.objects} == dict(etags)
    assert len(etags) == 2
    assert found.missing == (gone,)
    assert not found.refused


async def test_sync_tells_what_changed(
    ann: CalDavClient, http: httpx.AsyncClient, radicale: Radicale, calendar: str
) -> None:
    auth = ("ann", radicale.users["ann"])
    first = await ann.sync(calendar)
    assert dict(first.changed) == dict(await ann.etags(calendar))
    assert first.removed == ()
    assert first.is_complete

    again = await ann.sync(calendar, first.token)
    assert (dict(again.changed), again.removed) == ({}, ())

    await http.delete(f"{calendar}june.ics", auth=auth)
    await http.put(f"{calendar}new.ics", content=event("new", "20260801T100000Z"), auth=auth)
    changes = await ann.sync(calendar, again.token)
    assert list(changes.changed) == [f"{calendar}new.ics"]
    assert changes.removed == (f"{calendar}june.ics",)
    assert changes.token != again.token


async def test_a_token_that_the_server_does_not_know(ann: CalDavClient, calendar: str) -> None:
    with pytest.raises(SyncTokenInvalid):
        await ann.sync(calendar, "http://radicale.org/ns/sync/" + "0" * 64)


async def test_another_users_calendar_is_refused(http: httpx.AsyncClient, radicale: Radicale, calendar: str) -> None:
    client = CalDavClient(http, radicale.url, "bob", radicale.users["bob"], allow_clear=True)
    with pytest.raises(ServerRefused) as refused:
        await client.etags(calendar)
    assert refused.value.code == "403"
    assert refused.value.permanent
    with pytest.raises(ServerRefused):
        await client.calendars(CalendarHome((f"{radicale.url}ann/",)))
