"""Events and calendars in the API's shapes."""

import re
from typing import Any

import msgspec
import pytest

from mooring.calendars import Event, calendars_of, series_of, split_id
from mooring.calendars.pages import find
from mooring.calendars.records import occurrence_id
from mooring.protocols.caldav import CalendarInfo
from tests.unit.calendars.objects import CALENDAR, at, stored


def shown(*events: str, occurrence: int | None = None) -> Event:
    [series] = series_of("g1", stored("a", *events))
    event = find(series, CALENDAR, series.id if occurrence is None else occurrence_id(series.id, occurrence))
    assert event is not None
    return event


def info(url: str, **fields: Any) -> CalendarInfo:
    values: dict[str, Any] = dict.fromkeys(("name", "description", "color", "timezone", "ctag", "sync_token"), "")
    values |= {"is_read_only": False, "components": (), "is_primary": False, **fields}
    return CalendarInfo(url=url, **values)


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (
            "DTSTART:20260601T100000Z|DTEND:20260601T110000Z",
            {"object": "timespan", "start_time": at(2026, 6, 1, 10), "end_time": at(2026, 6, 1, 11)},
        ),
        (
            "DTSTART;TZID=Europe/Zurich:20260601T120000|DURATION:PT1H",
            {
                "object": "timespan",
                "start_time": at(2026, 6, 1, 10),
                "end_time": at(2026, 6, 1, 11),
                "start_timezone": "Europe/Zurich",
                "end_timezone": "Europe/Zurich",
            },
        ),
        ("DTSTART;VALUE=DATE:20260601", {"object": "date", "date": "2026-06-01"}),
        (
            "DTSTART;VALUE=DATE:20260601|DTEND;VALUE=DATE:20260604",
            {"object": "datespan", "start_date": "2026-06-01", "end_date": "2026-06-04"},
        ),
    ],
)
def test_when_says_what_it_is(lines: str, when: dict[str, Any]) -> None:
    event = shown(f"UID:a|{lines}")
    zones = {"start_timezone", "end_timezone", "timezone"}
    assert {k: v for k, v in event.when.items() if k in when or k not in zones} == when


def test_a_moment_is_a_time() -> None:
    when = shown("UID:a|DTSTART:20260601T100000Z").when
    assert (when["object"], when["time"]) == ("time", at(2026, 6, 1, 10))


def test_everything_that_an_event_says() -> None:
    event = shown(
        "UID:a@b|DTSTART:20260601T100000Z|DTEND:20260601T110000Z|SUMMARY:Budget|DESCRIPTION:bring\\nnumbers"
        "|LOCATION:Room 3|STATUS:TENTATIVE|CLASS:CONFIDENTIAL|TRANSP:TRANSPARENT|URL:https://example.com/e"
        "|CREATED:20260101T000000Z|LAST-MODIFIED:20260102T000000Z|ORGANIZER;CN=Ann:mailto:ann@example.com"
        "|ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED:mailto:bob@example.com|ATTENDEE:urn:uuid:1"
        "|BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT15M|END:VALARM"
    )
    assert (event.title, event.description, event.location) == ("Budget", "bring\nnumbers", "Room 3")
    assert (event.status, event.visibility, event.busy) == ("tentative", "private", False)
    assert event.organizer == {"email": "ann@example.com", "name": "Ann"}
    assert event.participants == [{"email": "bob@example.com", "name": "Bob", "status": "yes"}]
    assert event.reminders == {
        "use_default": False,
        "overrides": [{"reminder_minutes": 15, "reminder_method": "email"}],
    }
    assert (event.ical_uid, event.html_link) == ("a@b", "https://example.com/e")
    assert (event.created_at, event.updated_at) == (at(2026, 1, 1), at(2026, 1, 2))
    assert (event.master_event_id, event.original_start_time, event.recurrence) == (None, None, None)
    assert (event.grant_id, event.calendar_id, event.object) == ("g1", "c1", "event")
    assert msgspec.json.decode(msgspec.json.encode(event))["object"] == "event"


SERIES = (
    "UID:a|DTSTART:20260601T100000Z|DURATION:PT1H|SUMMARY:all|RRULE:FREQ=WEEKLY;COUNT=4|EXDATE:20260615T100000Z",
    "UID:a|RECURRENCE-ID:20260608T100000Z|DTSTART:20260701T100000Z|DURATION:PT1H|SUMMARY:moved",
)


def test_a_master_has_its_rules_and_an_occurrence_its_master() -> None:
    master = shown(*SERIES)
    assert master.recurrence == ["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20260615T100000Z"]
    first = shown(*SERIES, occurrence=at(2026, 6, 1, 10))
    assert (first.master_event_id, first.original_start_time) == (master.id, at(2026, 6, 1, 10))
    assert first.recurrence is None
    assert first.when["start_time"] == at(2026, 6, 1, 10)
    moved = shown(*SERIES, occurrence=at(2026, 6, 8, 10))
    assert (moved.title, moved.when["start_time"]) == ("moved", at(2026, 7, 1, 10))


def test_an_occurrence_is_found_where_a_later_override_has_moved_it() -> None:
    moving = (
        "UID:a|DTSTART:20260601T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=4",
        "UID:a|RECURRENCE-ID;RANGE=THISANDFUTURE:20260608T100000Z|DTSTART:20260609T100000Z|DURATION:PT1H",
    )
    moved = shown(*moving, occurrence=at(2026, 6, 15, 10))
    assert moved.when["start_time"] == at(2026, 6, 16, 10)


@pytest.mark.parametrize("original_start", [at(2026, 6, 15, 10), at(2026, 6, 2, 10), at(2030), 10**17])
def test_what_does_not_occur_is_not_found(original_start: int) -> None:
    [series] = series_of("g1", stored("a", *SERIES))
    assert find(series, CALENDAR, occurrence_id(series.id, original_start)) is None


@pytest.mark.parametrize("original_start", [0, -86400, at(2026)])
def test_an_occurrences_id_can_be_taken_apart(original_start: int) -> None:
    [series] = series_of("g1", stored("a", *SERIES))
    identity = occurrence_id(series.id, original_start)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", identity)
    assert split_id(identity) == (series.id, original_start)
    assert split_id(series.id) == (series.id, None)


@pytest.mark.parametrize(
    "identity", ["", "x", "a" * 25, "a" * 24 + "_", "a" * 24 + "_x", "a" * 24 + "_1_2", "a" * 24 + "_²"]
)
def test_other_ids_are_of_nothing(identity: str) -> None:
    assert split_id(identity) == (identity, None)


def test_calendars_are_those_that_hold_events() -> None:
    found = calendars_of(
        "g1",
        [
            info("https://d/a/tasks/", components=("VTODO",)),
            info("https://d/a/shared/", name="Shared", is_read_only=True),
            info("https://d/a/my%20own/", components=("VEVENT", "VTODO"), color="#ff0000"),
        ],
    )
    assert [(c.name, c.read_only, c.is_primary) for c in found] == [("Shared", True, False), ("my own", False, True)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", c.id) for c in found)
    assert len({c.id for c in found}) == 2


def test_the_server_says_which_calendar_is_primary() -> None:
    found = calendars_of("g1", [info("https://d/a/"), info("https://d/b/", is_primary=True)])
    assert [c.is_primary for c in found] == [False, True]
    assert [c.is_primary for c in calendars_of("g1", [info("https://d/a/", is_read_only=True)])] == [True]
    assert calendars_of("g1", []) == []
