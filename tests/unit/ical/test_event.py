"""Events as calendar programs write them, read property by property."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.protocols.ical import (
    Attendee,
    Datespan,
    Day,
    EventStatus,
    ParsedEvent,
    Person,
    Reminder,
    ReminderMethod,
    Reply,
    Timespan,
    Visibility,
    expand,
    parse_calendar_object,
)
from tests.unit.ical.objects import OUTLOOK_ZONE, calendar, event, single, unix


def only(ics: str | bytes) -> ParsedEvent:
    [found] = parse_calendar_object(ics)
    return found


FULL_EVENT = (
    "SUMMARY:Plan\\, part 1\\; a\\\\b",
    "DESCRIPTION:line one\\nline",
    "  two is folded",
    "LOCATION:Room 1",
    "DTSTART;TZID=Europe/Berlin:20260701T100000",
    "DTEND;TZID=America/New_York:20260701T050000",
    "RRULE:FREQ=WEEKLY;COUNT=3",
    "EXDATE;TZID=Europe/Berlin:20260708T100000,20260715T100000",
    "RDATE;VALUE=DATE-TIME:20260801T080000Z",
    'ORGANIZER;CN="Doe; Jane":mailto:jane@example.com',
    "ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED:MAILTO:bob@example.org",
    "ATTENDEE;PARTSTAT=DECLINED:mailto:no@example.org",
    "ATTENDEE;PARTSTAT=TENTATIVE:mailto:maybe@example.org",
    "ATTENDEE;CN=Room;EMAIL=room@example.org:urn:uuid:1",
    "TRANSP:TRANSPARENT",
    "STATUS:TENTATIVE",
    "CLASS:CONFIDENTIAL",
    "SEQUENCE:7",
    "CREATED:20260101T000000Z",
    "DTSTAMP:20260102T000000Z",
    "LAST-MODIFIED:20260103T000000Z",
    "URL:https://example.com/1",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:-PT15M",
    "END:VALARM",
    "BEGIN:VALARM",
    "ACTION:EMAIL",
    "TRIGGER;RELATED=END:-PT1H30M",
    "END:VALARM",
    "BEGIN:VALARM",
    "TRIGGER;VALUE=DATE-TIME:20260701T070000Z",
    "END:VALARM",
)


def test_a_full_event():
    found = only(single(*FULL_EVENT))
    assert found == ParsedEvent(
        uid="one",
        recurrence_id="",
        original_start=None,
        summary="Plan, part 1; a\\b",
        description="line one\nline two is folded",
        location="Room 1",
        when=Timespan(unix(2026, 7, 1, 8), unix(2026, 7, 1, 9), "Europe/Berlin", "America/New_York"),
        busy=False,
        status=EventStatus.TENTATIVE,
        organizer=Person("Doe; Jane", "jane@example.com"),
        attendees=[
            Attendee("Bob", "bob@example.org", Reply.YES),
            Attendee("", "no@example.org", Reply.NO),
            Attendee("", "maybe@example.org", Reply.MAYBE),
            Attendee("Room", "room@example.org", Reply.NOREPLY),
        ],
        rrule=["FREQ=WEEKLY;COUNT=3"],
        rdate=["20260801T080000Z"],
        exdate=["20260708T080000Z", "20260715T080000Z"],
        sequence=7,
        created=unix(2026, 1, 1),
        updated=unix(2026, 1, 3),
        url="https://example.com/1",
        visibility=Visibility.PRIVATE,
        reminders=[
            Reminder(15, ReminderMethod.POPUP),
            Reminder(30, ReminderMethod.EMAIL),
            Reminder(60, ReminderMethod.POPUP),
        ],
        defects=[],
    )


def test_an_event_with_nothing_but_a_start():
    found = only(single("DTSTART:20260701T100000Z"))
    assert found.when == Timespan(unix(2026, 7, 1, 10), unix(2026, 7, 1, 10), "UTC", "UTC")
    assert (found.busy, found.status, found.visibility) == (True, EventStatus.CONFIRMED, Visibility.DEFAULT)
    assert (found.organizer, found.attendees, found.reminders, found.created, found.all_day) == (
        None,
        [],
        [],
        None,
        False,
    )


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (["DTSTART;VALUE=DATE:20260701"], Day(date(2026, 7, 1))),
        (["DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260702"], Day(date(2026, 7, 1))),
        (["DTSTART:20260701", "DTEND:20260704"], Datespan(date(2026, 7, 1), date(2026, 7, 4))),
        (["DTSTART;VALUE=DATE:20260701", "DURATION:P1W"], Datespan(date(2026, 7, 1), date(2026, 7, 8))),
        (["DTSTART;VALUE=DATE:20260701", "DURATION:PT1H"], Day(date(2026, 7, 1))),
        (["DTSTART;VALUE=DATE:20260701", "DTEND:20260703T100000Z"], Datespan(date(2026, 7, 1), date(2026, 7, 3))),
    ],
)
def test_days(lines, when):
    found = only(single(*lines))
    assert found.when == when
    assert found.all_day


@pytest.mark.parametrize(
    ("lines", "seconds", "defects"),
    [
        (["DTSTART:20260701T100000Z", "DURATION:PT1H30M"], 5400, []),
        (["DTSTART:20260701T100000Z", "DURATION:P1DT1S"], 86401, []),
        (["DTSTART:20260701T100000Z", "DURATION:-PT1H"], 0, []),
        (["DTSTART:20260701T100000Z", "DURATION:nonsense"], 0, []),
        (["DTSTART:20260701T100000Z", "DURATION:P99999W"], 99999 * 604800, []),
        (["DTSTART:99990701T100000Z", "DURATION:P99999W"], 0, ["a duration beyond the calendar"]),
        (["DTSTART:20260701T100000Z", "DTEND:20260701T090000Z"], 0, ["the end is before the start"]),
        (["DTSTART:20260701T100000Z", "DTEND;VALUE=DATE:20260702"], 14 * 3600, []),
        (["DTSTART:2026-07-01T10:00:00Z", "DTEND:2026-07-01T10:00Z"], 0, []),
    ],
)
def test_lengths(lines, seconds, defects):
    found = only(single(*lines))
    assert isinstance(found.when, Timespan)
    assert found.when.end - found.when.start == seconds
    assert found.defects == defects


@pytest.mark.parametrize(
    ("tzid", "hour", "name", "defects"),
    [
        ("Europe/Berlin", 8, "Europe/Berlin", []),
        ("europe/berlin", 8, "Europe/Berlin", []),
        ("W. Europe Standard Time", 8, "Europe/Berlin", []),
        ("/freeassociation.sourceforge.net/Europe/Berlin", 8, "Europe/Berlin", []),
        (
            "/softwarestudio.org/Olson_20011030_5/America/Argentina/Buenos_Aires",
            13,
            "America/Argentina/Buenos_Aires",
            [],
        ),
        ("Nowhere", 10, "UTC", ["unknown time zone 'Nowhere' is taken as UTC"]),
        ("America", 10, "UTC", ["unknown time zone 'America' is taken as UTC"]),
        ("../../etc/passwd", 10, "UTC", ["unknown time zone '../../etc/passwd' is taken as UTC"]),
    ],
)
def test_time_zones_by_name(tzid, hour, name, defects):
    found = only(single(f"DTSTART;TZID={tzid}:20260701T100000"))
    assert found.when == Timespan(unix(2026, 7, 1, hour), unix(2026, 7, 1, hour), name, name)
    assert found.defects == defects


def zoned(zone: tuple[str, ...]) -> ParsedEvent:
    return only(calendar(*zone, *event("UID:1", "DTSTART;TZID=Customized Time Zone:20260701T100000")))


def test_a_zone_of_the_object_is_recognised_by_its_rules():
    assert zoned(OUTLOOK_ZONE).when == Timespan(
        unix(2026, 7, 1, 8), unix(2026, 7, 1, 8), "Europe/Berlin", "Europe/Berlin"
    )


def test_a_zone_of_the_object_that_nobody_else_has():
    strange = tuple(line.replace("+0200", "+0237").replace("+0100", "+0137") for line in OUTLOOK_ZONE)
    found = zoned(strange)
    assert found.when == Timespan(unix(2026, 7, 1, 7, 23), unix(2026, 7, 1, 7, 23), "", "")
    assert found.defects == []


def test_a_zone_is_known_in_its_own_object_only():
    """Two objects may use one name for two zones."""
    strange = tuple(line.replace("+0200", "+0537").replace("+0100", "+0537") for line in OUTLOOK_ZONE)
    first, second = zoned(strange), zoned(OUTLOOK_ZONE)
    bare = only(single("DTSTART;TZID=Customized Time Zone:20260701T100000"))
    assert [found.when.start for found in (first, second, bare) if isinstance(found.when, Timespan)] == [
        unix(2026, 7, 1, 4, 23),
        unix(2026, 7, 1, 8),
        unix(2026, 7, 1, 10),
    ]


def test_a_zone_that_makes_no_sense_counts_as_utc():
    broken = tuple(line.replace("TZOFFSETTO:+0100", "TZOFFSETTO:later") for line in OUTLOOK_ZONE)
    assert zoned(broken).defects == ["unknown time zone 'Customized Time Zone' is taken as UTC"]


def test_floating_time_is_the_calendars_or_utc():
    floating = event("UID:1", "DTSTART:20260701T100000")
    assert only(calendar("X-WR-TIMEZONE:Europe/Berlin", *floating)).when == Timespan(
        unix(2026, 7, 1, 8), unix(2026, 7, 1, 8), "Europe/Berlin", "Europe/Berlin"
    )
    assert only(calendar(*floating)).when == Timespan(unix(2026, 7, 1, 10), unix(2026, 7, 1, 10), "UTC", "UTC")


def test_a_master_and_its_override():
    ics = calendar(
        *event("UID:1", "SUMMARY:all", "DTSTART:20260701T100000Z", "RRULE:FREQ=DAILY"),
        *event("UID:1", "SUMMARY:moved", "RECURRENCE-ID:20260702T100000Z", "DTSTART:20260702T120000Z"),
        "BEGIN:VTODO",
        "SUMMARY:not an event",
        "END:VTODO",
    )
    master, override = parse_calendar_object(ics)
    assert (master.summary, master.recurrence_id, master.original_start) == ("all", "", None)
    assert (override.summary, override.recurrence_id) == ("moved", "20260702T100000Z")
    assert override.original_start == unix(2026, 7, 2, 10)


@pytest.mark.parametrize(
    ("line", "defects"),
    [
        ("DTSTART:garbage", ["no readable DTSTART"]),
        ("DTSTART:20260231T100000Z", ["no readable DTSTART"]),
        ("DTSTART;TZID=Asia/Tokyo:00010101T000000", ["no readable DTSTART"]),
        ("SUMMARY:no start at all", ["no readable DTSTART"]),
    ],
)
def test_an_event_without_a_time_is_still_an_event(line, defects):
    found = only(single(line, "LOCATION:here"))
    assert (found.when, found.location, found.defects) == (None, "here", defects)
    assert expand(single(line), 0, unix(2030, 1, 1)) == []


def test_ugly_text():
    head = b"\xef\xbb\xbfbegin:vcalendar\nBEGIN:VEVENT\nUID:1\nnonsense\n:\n"
    ics = head + b"DTSTART:20260701T100000Z\nSUMMARY:caf\xc3\xa9\0\n"
    found = only(ics)
    assert (found.summary, found.uid) == ("café\ufffd", "1")
    assert only(ics.replace(b"\xc3\xa9", b"\xe9")).summary == "café\ufffd"
    assert only(ics.decode("utf-8-sig").replace("é", "\ud800")).summary == "caf\ufffd\ufffd"
    assert parse_calendar_object(b"") == parse_calendar_object("BEGIN:VCALENDAR") == []


def test_text_that_looks_like_a_file_name_is_not_opened():
    assert parse_calendar_object("/etc/hostname") == []


PIECES = [
    *(
        "BEGIN:VCALENDAR\n",
        "BEGIN:VEVENT\n",
        "END:VEVENT\n",
        "BEGIN:VALARM\n",
        "END:VALARM\n",
        *(f"{x}\n" for x in OUTLOOK_ZONE),
    ),
    *("UID:1\n", "DTSTART:20260701T100000Z\n", "DTSTART;VALUE=DATE:20260701\n", "DTEND:20260702\n", "DURATION:P1D\n"),
    *("DTSTART;TZID=Customized Time Zone:20260701T100000\n", "DTSTART:99991231T235959\n", "DTSTART:00010101\n"),
    *(
        "RRULE:FREQ=DAILY;COUNT=3\n",
        "RRULE:FREQ=SECONDLY\n",
        "RRULE:FREQ=WEEKLY;BYDAY=XX\n",
        "RRULE:FREQ=DAILY;INTERVAL=0\n",
    ),
    *(
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;UNTIL=2026\n",
        "RDATE:20260705T100000Z/PT1H\n",
        "EXDATE:20260702\n",
        "SEQUENCE:²\n",
    ),
    *(
        "RECURRENCE-ID:20260702T100000Z\n",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260702\n",
        "TRIGGER:-PT5M\n",
        "\n ",
        ":",
        ";",
        '"',
    ),
    *("ATTENDEE:\n", "ORGANIZER;CN=", "DURATION:P99999W\n", "X-WR-TIMEZONE:Mars\n", "\0", "\ud800", "END:VTIMEZONE\n"),
]


def clean(found: ParsedEvent) -> bool:
    texts = [found.uid, found.summary, found.description, found.location, found.url, *found.rrule, *found.defects]
    texts += [text for one in found.attendees for text in (one.name, one.email)]
    return all("\0" not in text and text.encode() is not None for text in texts)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_random_objects(ics):
    assert all(clean(found) for found in parse_calendar_object(ics))
    for found in expand(ics, unix(2026, 1, 1), unix(2027, 1, 1)):
        assert clean(found)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_random_text(ics):
    assert all(clean(found) for found in parse_calendar_object(ics))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "ics",
    [
        "BEGIN:VEVENT\n" * 100_000,
        single("DTSTART:20260701T100000Z", "EXDATE:" + "20260701T100000Z," * 100_000),
        single("DTSTART:20260701T100000Z", "SUMMARY" + ';a="' * 200_000),
        single("DTSTART:20260701T100000Z", "SUMMARY:" + "\\" * 500_000),
        single("DTSTART:20260701T100000Z", *["ATTENDEE:mailto:a@b.c"] * 50_000),
        single(*["BEGIN:VALARM"] * 50_000),
        calendar(*OUTLOOK_ZONE * 500, *event("DTSTART;TZID=Customized Time Zone:20260701T100000")),
    ],
    ids=["events", "exdates", "parameters", "escapes", "attendees", "alarms", "zones"],
)
def test_hostile_objects_are_read_in_bounded_time(ics):
    assert len(parse_calendar_object(ics)) <= 5_000
