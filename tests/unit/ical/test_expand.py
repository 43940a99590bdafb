"""Occurrences: right, in order, and never too many."""

from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from mooring.protocols.ical import MAX_OCCURRENCES, Datespan, Day, Timespan, expand
from tests.unit.ical.objects import OUTLOOK_ZONE, calendar, event, single, unix

YEAR = (unix(2026, 1, 1), unix(2027, 1, 1))


def starts(ics: str, start: int = YEAR[0], end: int = YEAR[1]) -> list[int]:
    return [found.when.start for found in expand(ics, start, end) if isinstance(found.when, Timespan)]


def test_local_time_is_kept_over_the_change_of_the_clocks():
    ics = single("DTSTART;TZID=Europe/Berlin:20260323T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")
    first, second = expand(ics, *YEAR)
    assert first.when == Timespan(unix(2026, 3, 23, 9), unix(2026, 3, 23, 10), "Europe/Berlin", "Europe/Berlin")
    assert second.when == Timespan(unix(2026, 3, 30, 8), unix(2026, 3, 30, 9), "Europe/Berlin", "Europe/Berlin")
    assert (second.recurrence_id, second.original_start) == ("20260330T080000Z", unix(2026, 3, 30, 8))
    assert (second.uid, second.rrule, second.exdate) == ("one", [], [])


def test_local_time_is_kept_in_a_zone_that_only_the_object_has():
    strange = tuple(line.replace("+0200", "+0237").replace("+0100", "+0137") for line in OUTLOOK_ZONE)
    lines = event("UID:1", "DTSTART;TZID=Customized Time Zone:20260323T100000", "RRULE:FREQ=WEEKLY;COUNT=2")
    assert starts(calendar(*strange, *lines)) == [unix(2026, 3, 23, 8, 23), unix(2026, 3, 30, 7, 23)]


def test_exceptions_additions_and_moves():
    ics = calendar(
        *event(
            "UID:1",
            "SUMMARY:plain",
            "DTSTART:20260701T100000Z",
            "DURATION:PT1H",
            "RRULE:FREQ=DAILY;UNTIL=20260704T100000Z",
            "EXDATE:20260703T100000Z",
            "RDATE:20260801T100000Z",
        ),
        *event(
            "UID:1",
            "SUMMARY:moved",
            "RECURRENCE-ID:20260702T100000Z",
            "DTSTART:20260710T100000Z",
            "DURATION:PT2H",
        ),
    )
    assert [(one.summary, one.recurrence_id) for one in expand(ics, *YEAR)] == [
        ("plain", "20260701T100000Z"),
        ("plain", "20260704T100000Z"),
        ("moved", "20260702T100000Z"),
        ("plain", "20260801T100000Z"),
    ]
    [moved] = expand(ics, unix(2026, 7, 10), unix(2026, 7, 11))
    assert moved.when == Timespan(unix(2026, 7, 10, 10), unix(2026, 7, 10, 12), "UTC", "UTC")
    assert expand(ics, unix(2026, 7, 2), unix(2026, 7, 3)) == []


def test_a_cancelled_occurrence_is_told():
    ics = calendar(
        *event("UID:1", "DTSTART:20260701T100000Z", "RRULE:FREQ=DAILY;COUNT=2"),
        *event("UID:1", "RECURRENCE-ID:20260702T100000Z", "DTSTART:20260702T100000Z", "STATUS:CANCELLED"),
    )
    assert [one.status for one in expand(ics, *YEAR)] == ["confirmed", "cancelled"]


def test_an_override_whose_master_is_elsewhere():
    ics = calendar(*event("UID:1", "RECURRENCE-ID:20260702T100000Z", "DTSTART:20260702T120000Z"))
    assert starts(ics) == [unix(2026, 7, 2, 12)]


def test_days_recur_as_days():
    ics = single("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260703", "RRULE:FREQ=MONTHLY;COUNT=2")
    first, second = expand(ics, *YEAR)
    assert first.when == Datespan(date(2026, 7, 1), date(2026, 7, 3))
    assert (second.when, second.recurrence_id) == (Datespan(date(2026, 8, 1), date(2026, 8, 3)), "20260801")
    assert [
        one.when for one in expand(single("DTSTART:20260701", "RRULE:FREQ=DAILY"), unix(2026, 7, 5), unix(2026, 7, 6))
    ] == [Day(date(2026, 7, 5))]


@pytest.mark.parametrize(
    ("start", "end", "seen"),
    [
        (unix(2026, 7, 1, 9), unix(2026, 7, 1, 10), 0),
        (unix(2026, 7, 1, 9), unix(2026, 7, 1, 10) + 1, 1),
        (unix(2026, 7, 1, 10), unix(2026, 7, 1, 11), 1),
        (unix(2026, 7, 1, 10) + 60, unix(2026, 7, 1, 10) + 61, 1),
        (unix(2026, 7, 1, 11), unix(2026, 7, 1, 12), 0),
        (unix(2026, 7, 1, 12), unix(2026, 7, 1, 8), 0),
    ],
)
@pytest.mark.parametrize("rule", [[], ["RRULE:FREQ=DAILY;COUNT=1"]])
def test_the_window_is_half_open(start, end, seen, rule):
    assert len(expand(single("DTSTART:20260701T100000Z", "DURATION:PT1H", *rule), start, end)) == seen


def test_events_are_in_order():
    ics = calendar(
        *event("UID:b", "DTSTART:20260702T110000Z"),
        *event("UID:a", "DTSTART:20260701T100000Z", "RRULE:FREQ=DAILY;COUNT=3"),
        *event("UID:c", "DTSTART;VALUE=DATE:20260702"),
    )
    assert [one.uid for one in expand(ics, *YEAR)] == ["a", "c", "a", "b", "a"]


def test_an_endless_rule_is_cut_to_the_earliest():
    found = expand(single("DTSTART:20260101T000000Z", "RRULE:FREQ=HOURLY"), *YEAR)
    assert len(found) == MAX_OCCURRENCES
    assert [one.original_start for one in found] == [YEAR[0] + 3600 * hour for hour in range(MAX_OCCURRENCES)]


def test_a_window_of_all_time_is_cut():
    found = expand(single("DTSTART:20260101T000000Z", "RRULE:FREQ=YEARLY"), 0, 2**62)
    assert found == []
    assert len(expand(single("DTSTART:20260101T000000Z", "RRULE:FREQ=YEARLY"), YEAR[0], 2**62)) == 11


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("rule", "defect"),
    [
        ("FREQ=SECONDLY", "a recurrence rule that cannot be read"),
        ("FREQ=MINUTELY", "a recurrence rule that is too dense"),
        ("FREQ=MINUTELY;BYMONTH=1", "a recurrence rule that cannot be read"),
        ("FREQ=DAILY;INTERVAL=0", "a recurrence rule that cannot be read"),
        ("FREQ=DAILY;INTERVAL=-1", "a recurrence rule that cannot be read"),
        ("FREQ=DAILY;COUNT=-1", "a recurrence rule that cannot be read"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "a recurrence rule that never matches"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "a recurrence rule that never matches"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "a recurrence rule that never matches"),
        (
            f"FREQ=DAILY;BYHOUR={','.join(['1'] * 24)};BYMINUTE={','.join(['1'] * 60)}",
            "a recurrence rule that is too dense",
        ),
        ("FREQ=DAILY;BYDAY=" + ",".join(["MO"] * 5000), "a recurrence rule that is too long"),
        ("FREQ=DAILY;COUNT=99999999999999999999", "a recurrence that cannot be expanded"),
        ("FREQ=DAILY;UNTIL=someday", "a recurrence that cannot be expanded"),
        ("FREQ=SOMETIMES", "a recurrence rule that cannot be read"),
        ("", "a recurrence rule that cannot be read"),
        ("nonsense", "a recurrence rule that cannot be read"),
    ],
)
def test_an_absurd_rule_leaves_the_event_itself(rule, defect):
    [found] = expand(single("DTSTART:20260701T100000Z", f"RRULE:{rule}"), unix(2026, 1, 1), unix(2029, 1, 1))
    assert found.when == Timespan(unix(2026, 7, 1, 10), unix(2026, 7, 1, 10), "UTC", "UTC")
    assert found.defects == [defect]


@pytest.mark.timeout(20)
def test_many_absurd_rules_cost_no_more_than_a_few():
    rule = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
    ics = calendar(*(line for n in range(1_000) for line in event(f"UID:{n}", "DTSTART:20260701T100000Z", rule)))
    found = expand(ics, *YEAR)
    assert len(found) == 1_000
    assert found[-1].defects == ["too many unusable recurrence rules"]


@pytest.mark.timeout(20)
def test_many_dense_rules_cost_no_more_than_a_few():
    ics = calendar(
        *(line for n in range(1_000) for line in event(f"UID:{n}", "DTSTART:20260701T100000Z", "RRULE:FREQ=HOURLY"))
    )
    found = expand(ics, *YEAR)
    assert len(found) == MAX_OCCURRENCES
    assert found[-1].defects == ["too many occurrences in one object"]


UNTIL = datetime(2026, 9, 1, tzinfo=UTC)
RULES = st.builds(
    lambda freq, interval, extra: f"FREQ={freq};INTERVAL={interval}{extra}",
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 4),
    st.sampled_from(
        [
            "",
            ";COUNT=5",
            ";BYDAY=MO,FR",
            ";BYMONTHDAY=1,-1",
            ";BYMONTH=2,7",
            f";UNTIL={UNTIL:%Y%m%dT%H%M%SZ}",
            ";BYMONTHDAY=31",
        ]
    ),
)


@given(RULES, st.integers(0, 1000), st.integers(0, 400), st.integers(1, 60))
def test_occurrences_are_those_of_the_generator(rule, begin, first, length):
    """Nothing that guards the expansion loses or adds an occurrence."""
    start = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=begin)
    window = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=first)
    until = window + timedelta(days=length)
    expected = set(rrulestr(rule, dtstart=start).between(window, until, inc=True))
    if "UNTIL" not in rule or start <= UNTIL:
        expected.add(start)  # a start that its rule does not match counts, unless the rule has ended before it
    found = starts(
        single(f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"RRULE:{rule}"), int(window.timestamp()), int(until.timestamp())
    )
    assert found == sorted(int(one.timestamp()) for one in expected if window <= one < until)
