"""Calendar objects for tests."""

from datetime import UTC, datetime

OUTLOOK_ZONE = (
    "BEGIN:VTIMEZONE",
    "TZID:Customized Time Zone",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
)


def unix(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Unix seconds of a moment in UTC."""
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


def event(*lines: str) -> tuple[str, ...]:
    """A VEVENT with these properties."""
    return ("BEGIN:VEVENT", *lines, "END:VEVENT")


def calendar(*lines: str) -> str:
    """A calendar object with these lines."""
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""))


def single(*lines: str) -> str:
    """A calendar object with one VEVENT."""
    return calendar(*event("UID:one", *lines))
