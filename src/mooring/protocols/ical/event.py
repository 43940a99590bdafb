"""A VEVENT as an event: every property read by itself, so that a bad one spoils no other."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from mooring.protocols.ical.lines import Component, Line, read
from mooring.protocols.ical.types import (
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
    When,
)
from mooring.protocols.ical.values import duration, moment, stamp, unix
from mooring.protocols.ical.zones import UTC_ZONE, Zone, Zones

_MAX_DATES = 5_000  # RDATE or EXDATE values of one event
_MAX_RULES = 10  # RRULE properties of one event; RFC 5545 wants one
_MAX_SEQUENCE = 2_147_483_647  # what a 32-bit column holds

_REPLIES = {"ACCEPTED": Reply.YES, "DECLINED": Reply.NO, "TENTATIVE": Reply.MAYBE}
_STATUSES = {"TENTATIVE": EventStatus.TENTATIVE, "CANCELLED": EventStatus.CANCELLED}
_VISIBILITIES = {
    "PUBLIC": Visibility.PUBLIC,
    "PRIVATE": Visibility.PRIVATE,
    "CONFIDENTIAL": Visibility.PRIVATE,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with the moments that its recurrence is reckoned from; all of them dates, or all aware."""

    event: ParsedEvent
    start: date | None
    end: date | None
    recurrence_id: date | None
    and_future: bool
    rdates: list[date]
    exdates: list[date]


def parse_calendar_object(ics: bytes | str) -> list[ParsedEvent]:
    """The events of one calendar object, the master and its overrides; never raises."""
    return [placed.event for placed in place(ics)]


def place(ics: bytes | str) -> list[Placed]:
    """The events of one calendar object, ready to be expanded."""
    calendar = read(ics)
    zones = Zones(calendar)
    return [_Reader(component, zones).placed() for component in calendar.events]


class _Reader:
    """One reading of one VEVENT."""

    def __init__(self, component: Component, zones: Zones) -> None:
        self._component = component
        self._zones = zones
        self._known = len(zones.defects)
        self._defects: list[str] = []

    def placed(self) -> Placed:
        start, start_zone = self._moment("DTSTART")
        end, end_zone = self._end(start, start_zone)
        recurrence_id, _ = self._moment("RECURRENCE-ID")
        marker = self._component.first("RECURRENCE-ID")
        rdates, exdates = self._dates("RDATE"), self._dates("EXDATE")
        if start is None:
            self._defects.append("no readable DTSTART")
        text = self._component.text
        event = ParsedEvent(
            uid=text("UID").strip(),
            recurrence_id="" if recurrence_id is None else stamp(recurrence_id),
            original_start=unix(recurrence_id),
            summary=text("SUMMARY"),
            description=text("DESCRIPTION"),
            location=text("LOCATION"),
            when=when(start, end, start_zone.name, end_zone.name),
            busy=self._busy(),
            status=_STATUSES.get(text("STATUS").strip().upper(), EventStatus.CONFIRMED),
            organizer=next((_person(line) for line in self._component.all("ORGANIZER")), None),
            attendees=[_attendee(line) for line in self._component.all("ATTENDEE")],
            rrule=[line.value.strip() for line in self._component.all("RRULE")][:_MAX_RULES],
            rdate=[stamp(one) for one in rdates],
            exdate=[stamp(one) for one in exdates],
            sequence=self._sequence(),
            created=unix(self._moment("CREATED")[0]),
            updated=unix(self._moment("LAST-MODIFIED")[0] or self._moment("DTSTAMP")[0]),
            url=text("URL").strip(),
            visibility=_VISIBILITIES.get(text("CLASS").strip().upper(), Visibility.DEFAULT),
            reminders=self._reminders(start, end),
            defects=self._defects + self._zones.defects[self._known :],
        )
        and_future = marker is not None and marker.params.get("RANGE", "").upper() == "THISANDFUTURE"
        return Placed(event, start, end, recurrence_id, and_future, rdates, exdates)

    def _moment(self, name: str) -> tuple[date | None, Zone]:
        line = self._component.first(name)
        return self._read(line.value, line.params.get("TZID", "")) if line else (None, UTC_ZONE)

    def _read(self, value: str, tzid: str) -> tuple[date | None, Zone]:
        """A date, or an aware moment with its zone."""
        found = moment(value)
        if not isinstance(found, datetime) or found.tzinfo is not None:
            return _within_reach(found), UTC_ZONE
        zone = self._zones.get(tzid) if tzid else self._zones.floating
        return _within_reach(found.replace(tzinfo=zone.tz)), zone

    def _end(self, start: date | None, start_zone: Zone) -> tuple[date | None, Zone]:
        """When the event is over; without DTEND and DURATION a date lasts a day, and a moment none.

        Source: RFC 5545 section 3.6.1.
        """
        if start is None:
            return None, start_zone
        end, zone = self._moment("DTEND")
        if end is None:
            return self._by_duration(start), start_zone
        if isinstance(start, datetime) and not isinstance(end, datetime):
            end, zone = datetime(end.year, end.month, end.day, tzinfo=start.tzinfo), start_zone
        elif isinstance(end, datetime) and not isinstance(start, datetime):
            end = end.date()
        if end < start:
            self._defects.append("the end is before the start")
            return start, start_zone
        return end, zone

    def _by_duration(self, start: date) -> date:
        length = duration(self._component.text("DURATION"))
        if not isinstance(start, datetime):
            length = max(timedelta(days=length.days), timedelta(days=1)) if length else timedelta(days=1)
        try:
            return start + max(length or timedelta(), timedelta())
        except OverflowError:
            self._defects.append("a duration beyond the calendar")
            return start

    def _dates(self, name: str) -> list[date]:
        found: list[date] = []
        for line in self._component.all(name):
            for value in line.value.split(","):
                # Of a PERIOD only the start is taken.
                one, _ = self._read(value.partition("/")[0], line.params.get("TZID", ""))
                if one is not None:
                    found.append(one)
                if len(found) == _MAX_DATES:
                    return found
        return found

    def _busy(self) -> bool:
        free = self._component.text("X-MICROSOFT-CDO-BUSYSTATUS").strip().upper() == "FREE"
        return not free and self._component.text("TRANSP").strip().upper() != "TRANSPARENT"

    def _sequence(self) -> int:
        value = self._component.text("SEQUENCE").strip()[:10]
        return min(int(value), _MAX_SEQUENCE) if value.isascii() and value.isdigit() else 0

    def _reminders(self, start: date | None, end: date | None) -> list[Reminder]:
        found = (_reminder(alarm, self, start, end) for alarm in self._component.children if alarm.name == "VALARM")
        return [reminder for reminder in found if reminder is not None]

    def absolute(self, line: Line) -> date | None:
        """The moment that a trigger names."""
        return self._read(line.value, line.params.get("TZID", ""))[0]


def when(start: date | None, end: date | None, start_zone: str, end_zone: str) -> When | None:
    """The time of an event as the API tells it."""
    if start is None or end is None:
        return None
    if isinstance(start, datetime):
        return Timespan(unix(start), unix(end), start_zone, end_zone)
    return Datespan(start, end) if (end - start).days > 1 else Day(start)


def _within_reach(value: date | None) -> date | None:
    """None for a moment that has no UTC equivalent, at the edges of the calendar."""
    if isinstance(value, datetime):
        try:
            value.astimezone(UTC)
        except OverflowError:
            return None
    return value


def _email(line: Line) -> str:
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        return value[7:].strip()
    return line.params.get("EMAIL", "") or (value if "@" in value and ":" not in value else "")


def _person(line: Line) -> Person:
    return Person(line.params.get("CN", ""), _email(line))


def _attendee(line: Line) -> Attendee:
    status = _REPLIES.get(line.params.get("PARTSTAT", "").upper(), Reply.NOREPLY)
    return Attendee(line.params.get("CN", ""), _email(line), status)


def _reminder(alarm: Component, reader: _Reader, start: date | None, end: date | None) -> Reminder | None:
    """Minutes before the start.

    Source: RFC 5545 section 3.8.6.3.
    """
    trigger = alarm.first("TRIGGER")
    if trigger is None or start is None or end is None:
        return None
    length = duration(trigger.value)
    if length is None:
        at = reader.absolute(trigger)
        if at is None:
            return None
        seconds = unix(at) - unix(start)
    else:
        base = unix(end) - unix(start) if trigger.params.get("RELATED", "").upper() == "END" else 0
        seconds = base + length // timedelta(seconds=1)
    method = ReminderMethod.EMAIL if alarm.text("ACTION").strip().upper() == "EMAIL" else ReminderMethod.POPUP
    return Reminder(-seconds // 60, method)
