"""Pages of events: order, bounds, filters and cursors, whatever recurs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mooring.calendars import Event, EventQuery, HeldSeries, series_of
from mooring.calendars.pages import read_cursor, write_cursor
from mooring.errors import InvalidRequest
from tests.unit.calendars.objects import CALENDAR, at, stored

NOW = at(2026, 6, 15, 12)
WEEKLY = "UID:weekly|DTSTART:20200106T090000Z|DURATION:PT1H|SUMMARY:Standup|RRULE:FREQ=WEEKLY"


def held(*objects: str) -> HeldSeries:
    return HeldSeries(
        CALENDAR, [s for number, one in enumerate(objects) for s in series_of("g1", stored(str(number), one))]
    )


async def everything(agenda: HeldSeries, **query: Any) -> list[Event]:
    """All pages, one after the other."""
    found: list[Event] = []
    cursor: str | None = None
    while True:
        events, cursor = await agenda.page(EventQuery(**query, cursor=cursor), NOW)
        assert len(events) <= query.get("limit", 50)
        found += events
        if cursor is None:
            return found


def start(event: Event) -> int:
    return event.when["start_time"] if "start_time" in event.when else event.when["time"]


async def test_single_events_of_all_times_and_endless_series_of_the_years_around() -> None:
    agenda = held("UID:old|DTSTART:19990101T090000Z", "UID:far|DTSTART:20500101T090000Z", WEEKLY)
    found = await everything(agenda)
    assert (found[0].ical_uid, found[-1].ical_uid) == ("old", "far")
    weekly = [event for event in found if event.ical_uid == "weekly"]
    assert 104 <= len(weekly) <= 106
    assert NOW - 366 * 86400 < start(weekly[0]) < start(weekly[-1]) < NOW + 366 * 86400


async def test_a_finite_series_is_listed_whole() -> None:
    found = await everything(held("UID:a|DTSTART:20010101T090000Z|RRULE:FREQ=MONTHLY;COUNT=10"))
    assert len(found) == 10


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ({"start": at(2026, 6, 1), "end": at(2026, 7, 1)}, at(2026, 6, 1, 9), 5),
        ({"start": at(2026, 6, 1, 9) + 1800, "end": at(2026, 6, 2)}, at(2026, 6, 1, 9), 1),
        ({"start": at(2026, 6, 1, 10), "end": at(2026, 6, 8, 9)}, None, 0),
        ({"start": at(2035), "end": at(2035, 1, 8)}, at(2035, 1, 1, 9), 1),
        ({"start": at(2035)}, at(2035, 1, 1, 9), 53),
        ({"end": at(2019)}, None, 0),
        ({"start": 0, "end": at(2100)}, at(2020, 1, 6, 9), 859),
    ],
)
async def test_bounds(query: dict[str, int], first: int | None, count: int) -> None:
    found = await everything(held(WEEKLY), limit=200, **query)
    assert len(found) == count
    assert [start(event) for event in found[:1]] == ([first] if first else [])


async def test_a_dense_series_is_paged_without_a_gap() -> None:
    agenda = held("UID:a|DTSTART:20200101T000000Z|RRULE:FREQ=DAILY")
    found = await everything(agenda, start=at(2020), end=at(2026), limit=200)
    assert [start(event) for event in found] == [at(2020) + day * 86400 for day in range(2192)]


async def test_a_filter_that_finds_late_is_not_a_short_page() -> None:
    agenda = held(
        WEEKLY, *(f"UID:{n}|DTSTART:20260101T{n:06}Z|SUMMARY:other" for n in range(60)),
        "UID:wanted|DTSTART:20270101T000000Z|SUMMARY:The Wanted one",
    )  # fmt: skip
    events, cursor = await agenda.page(EventQuery(title="wanted", limit=1), NOW)
    assert [event.ical_uid for event in events] == ["wanted"]
    assert cursor is None


@pytest.mark.parametrize(
    ("query", "uids"),
    [
        ({}, ["a", "b"]),
        ({"title": "LUNCH"}, ["a"]),
        ({"location": "room"}, ["b"]),
        ({"description": "numbers"}, ["b"]),
        ({"busy": True}, ["b"]),
        ({"busy": False}, ["a"]),
        ({"ical_uid": "b"}, ["b"]),
        ({"show_cancelled": True}, ["a", "b", "c"]),
        ({"title": "lunch", "busy": True}, []),
    ],
)
async def test_filters(query: dict[str, Any], uids: list[str]) -> None:
    agenda = held(
        "UID:a|DTSTART:20260601T090000Z|SUMMARY:Lunch|TRANSP:TRANSPARENT",
        "UID:b|DTSTART:20260602T090000Z|LOCATION:Room 1|DESCRIPTION:bring numbers",
        "UID:c|DTSTART:20260603T090000Z|STATUS:CANCELLED",
    )
    assert [event.ical_uid for event in await everything(agenda, **query)] == uids


async def test_occurrences_can_be_found_by_their_ids() -> None:
    agenda = held(WEEKLY, "UID:once|DTSTART:20260601T090000Z")
    for event in await everything(agenda, start=at(2026, 5, 1), end=at(2026, 7, 1)):
        assert agenda.event(event.id) == event
    assert agenda.event("nothing") is None


async def test_occurrences_that_were_moved_together_are_told_apart() -> None:
    agenda = held(
        "UID:a|DTSTART:20260601T100000Z|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=4|END:VEVENT|BEGIN:VEVENT"
        "|UID:a|RECURRENCE-ID;RANGE=THISANDFUTURE:20260608T100000Z|DTSTART:20260609T100000Z|DURATION:PT1H"
    )
    found = await everything(agenda)
    assert [event.original_start_time for event in found] == [at(2026, 6, day, 10) for day in (1, 8, 15, 22)]
    assert [start(event) for event in found] == [at(2026, 6, day, 10) for day in (1, 9, 16, 23)]
    assert [agenda.event(event.id) for event in found] == found


async def test_occurrences_that_all_begin_before_the_range_and_reach_into_it_end() -> None:
    agenda = held("UID:a|DTSTART:20150101T000000Z|DURATION:P3650D|RRULE:FREQ=DAILY")
    found = await everything(agenda, start=at(2026), end=at(2026, 1, 2), limit=200)
    assert found
    assert len({event.id for event in found}) == len(found)


async def test_an_occurrence_that_began_before_singles_that_reach_into_the_range_is_on_the_first_page() -> None:
    single = "DTSTART:20260624T000000Z|DURATION:PT25H"
    daily = "UID:d|DTSTART:20260601T090000Z|DURATION:PT40H|RRULE:FREQ=DAILY"
    agenda = held(f"UID:a|{single}", f"UID:b|{single}", daily)
    bounds = {"start": at(2026, 6, 25), "end": at(2026, 6, 26)}
    whole = await everything(agenda, **bounds, limit=200)
    assert [start(event) for event in whole] == [
        at(2026, 6, 23, 9),
        *[at(2026, 6, 24)] * 2,
        *[at(2026, 6, day, 9) for day in (24, 25)],
    ]
    assert await everything(agenda, **bounds, limit=1) == whole


@pytest.mark.parametrize("cursor", ["", "x", "ü", "MTIz", "OmE", "a" * 300])
async def test_a_cursor_that_is_none(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        await held(WEEKLY).page(EventQuery(cursor=cursor), NOW)


@given(st.integers(-(2**61), 2**61), st.text("abc_-", min_size=1))
def test_a_cursor_comes_back(at_s: int, identity: str) -> None:
    assert read_cursor(write_cursor((at_s, identity))) == (at_s, identity)


DAYS = st.integers(1, 28)
OBJECTS = st.one_of(
    st.builds("DTSTART:202606{:02}T{:02}0000Z|DURATION:PT{}H".format, DAYS, st.integers(0, 23), st.integers(0, 90)),
    st.builds("DTSTART;VALUE=DATE:202606{:02}".format, DAYS),
    st.builds(
        "DTSTART:202606{:02}T090000Z|DURATION:PT{}H|RRULE:FREQ={};INTERVAL={}{}".format,
        DAYS,
        st.integers(0, 90),
        st.sampled_from(["DAILY", "WEEKLY"]),
        st.integers(1, 3),
        st.sampled_from(["", ";COUNT=5", ";UNTIL=20260620T000000Z"]),
    ),
)


@settings(max_examples=40, deadline=None)
@given(objects=st.lists(OBJECTS, max_size=8), limit=st.integers(1, 7), first=DAYS, days=st.integers(1, 30))
async def test_small_pages_together_are_the_large_one(objects: list[str], limit: int, first: int, days: int) -> None:
    agenda = held(*(f"UID:{number}|{one}" for number, one in enumerate(objects)))
    bounds = {"start": at(2026, 6, first), "end": at(2026, 6, first) + days * 86400}
    whole = await everything(agenda, **bounds, limit=10_000)
    assert await everything(agenda, **bounds, limit=limit) == whole
    assert len({event.id for event in whole}) == len(whole)
