"""Calendar objects, and the calendar that they lie in."""

from datetime import UTC, datetime

from mooring.calendars import Calendar
from mooring.protocols.caldav import CalendarObject

URL = "https://dav.example.com/ann/tides/"
CALENDAR = Calendar(grant_id="g1", id="c1", url=URL, name="Work")


def at(year: int, month: int = 1, day: int = 1, hour: int = 0) -> int:
    """Unix seconds."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def ics(*events: str) -> bytes:
    """An object of these events; each is its lines with ``|`` between them."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for event in events:
        lines += ["BEGIN:VEVENT", *event.split("|"), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def stored(name: str, *events: str) -> CalendarObject:
    """An object as a server gives it."""
    return CalendarObject(f"{URL}{name}.ics", f'"{name}-1"', ics(*events))
