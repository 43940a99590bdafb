"""Calendar objects: iCalendar text to events, and rules to occurrences. Pure functions, no I/O.

``parse_calendar_object`` and ``expand`` never raise on ugly input: an event carries its defects. Not
here: CalDAV, calendars, what is stored where. Start at ``event.py``.
"""

from mooring.protocols.ical.event import parse_calendar_object
from mooring.protocols.ical.expand import MAX_OCCURRENCES, MAX_WINDOW, expand
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

__all__ = [
    "MAX_OCCURRENCES",
    "MAX_WINDOW",
    "Attendee",
    "Datespan",
    "Day",
    "EventStatus",
    "ParsedEvent",
    "Person",
    "Reminder",
    "ReminderMethod",
    "Reply",
    "Timespan",
    "Visibility",
    "When",
    "expand",
    "parse_calendar_object",
]
