"""What an object is known by, and from when to when it is looked at."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.calendars import Series, series_of
from mooring.calendars.series import span
from mooring.protocols.caldav import CalendarObject
from mooring.protocols.ical import expand
from tests.unit.calendars.objects import URL, at, stored

HOUR = 3600


def only(*events: str) -> Series:
    [series] = series_of("g1", stored("a", *events))
    return series


def test_one_event_happens_once() -> None:
    series = only("UID:a|DTSTART:20260601T100000Z|DTEND:20260601T110000Z")
    assert (series.first_start, series.last_end) == (at(2026, 6, 1, 10), at(2026, 6, 1, 11))
    assert not series.is_recurring
    assert series.href == f"{URL}a.ics"


@pytest.mark.parametrize(
    ("rule", "last_end"),
    [
        ("RRULE:FREQ=DAILY", None),
        ("RRULE:FREQ=DAILY;COUNT=100000", None),
        ("RRULE:FREQ=YEARLY;UNTIL=20990101T000000Z", None),
        ("RRULE:FREQ=DAILY|RRULE:FREQ=WEEKLY;COUNT=2", None),
        ("RRULE:FREQ=WEEKLY;COUNT=3", at(2026, 6, 15, 11)),
        ("RRULE:FREQ=WEEKLY;UNTIL=20260615T100000Z", at(2026, 6, 15, 11)),
        ("RRULE:FREQ=WEEKLY;COUNT=3|EXDATE:20260608T100000Z", at(2026, 6, 15, 11)),
        ("RDATE:20260801T100000Z", at(2026, 8, 1, 11)),
    ],
)
def test_a_series_is_over_when_its_last_occurrence_is(rule: str, last_end: int | None) -> None:
    series = only(f"UID:a|DTSTART:20260601T100000Z|DTEND:20260601T110000Z|{rule}")
    assert series.is_recurring
    assert series.first_start is not None
    assert series.first_start <= at(2026, 6, 1, 10)
    if last_end is None:
        assert series.last_end is None
    else:
        assert series.last_end is not None
        assert last_end <= series.last_end < last_end + 7 * 24 * HOUR


def test_an_override_that_was_moved_out_stretches_its_series() -> None:
    series = only(
        "UID:a|DTSTART:20260601T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=2",
        "UID:a|RECURRENCE-ID:20260602T100000Z|DTSTART:20261224T100000Z|DURATION:PT1H",
        "UID:a|RECURRENCE-ID:20260601T100000Z|DTSTART:20260101T100000Z|DURATION:PT1H",
    )
    assert series.first_start is not None
    assert series.first_start <= at(2026, 1, 1, 10)
    assert series.last_end is None or series.last_end >= at(2026, 12, 24, 11)


def test_each_uid_of_an_object_is_a_series_with_an_id_of_its_own() -> None:
    found = series_of("g1", stored("a", "UID:a|DTSTART:20260601T100000Z", "UID:b|DTSTART:20260602T100000Z"))
    assert [series.uid for series in found] == ["a", "b"]
    assert len({series.id for series in found}) == 2
    assert [series.members[0].uid for series in found] == ["a", "b"]


def test_ids_are_of_the_grant_the_place_and_the_uid() -> None:
    event = "UID:a|DTSTART:20260601T100000Z"
    ids = {
        series_of(grant, CalendarObject(f"{URL}{name}", "", stored("a", f"{event}|SUMMARY:{name}").data))[0].id
        for grant in ("g1", "g2")
        for name in ("a", "b")
    }
    assert len(ids) == 4
    changed = series_of("g1", stored("a", f"{event}|SUMMARY:changed"))
    assert changed[0].id == only(event).id


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\nEND:VCALENDAR"]
)
def test_an_object_without_events_is_kept_and_never_happens(data: bytes) -> None:
    [series] = series_of("g1", CalendarObject(f"{URL}t.ics", "e", data))
    assert series.first_start is None
    assert not series.is_recurring
    assert series.ics == data


def test_an_event_without_a_start_never_happens() -> None:
    series = only("UID:a|SUMMARY:when?|RRULE:FREQ=DAILY")
    assert (series.first_start, series.is_recurring) == (None, False)


RULES = st.builds(
    "FREQ={};INTERVAL={}{}".format,
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 4),
    st.one_of(
        st.integers(1, 30).map(";COUNT={}".format),
        st.dates().filter(lambda d: 2026 <= d.year < 2100).map(lambda d: f";UNTIL={d:%Y%m%d}T120000Z"),
    ),
)


@given(rule=RULES, hours=st.integers(0, 100), moved=st.integers(-400, 400))
def test_nothing_happens_outside_of_what_is_looked_at(rule: str, hours: int, moved: int) -> None:
    """The bounds may be wide; they must never be narrow."""
    shifted = at(2026, 6, 1) + moved * 24 * HOUR
    stamp = f"{datetime.fromtimestamp(shifted, UTC):%Y%m%dT%H%M%SZ}"
    series = only(
        f"UID:a|DTSTART:20260601T100000Z|DURATION:PT{hours}H|RRULE:{rule}",
        f"UID:a|RECURRENCE-ID:20260601T100000Z|DTSTART:{stamp}|DURATION:PT1H",
    )
    for year in (2024, 2030, 2040, 2060, 2095):
        for event in expand(series.ics, at(year), at(year + 6)):
            assert event.when is not None
            start, end = span(event.when)
            assert series.first_start is not None
            assert start >= series.first_start
            assert series.last_end is None or end <= series.last_end


@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: stored("x", text).data))
def test_no_bytes_break_it(data: bytes) -> None:
    found = series_of("g1", CalendarObject(URL, "", data))
    assert found
    assert all(series.ics == data for series in found)
