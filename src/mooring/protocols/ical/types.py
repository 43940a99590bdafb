"""What this room hands over: events as values, times in unix seconds, dates as dates."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class EventStatus(StrEnum):
    """STATUS of a VEVENT."""

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    CANCELLED = "cancelled"


class Reply(StrEnum):
    """PARTSTAT of an attendee, in the words of the API."""

    NOREPLY = "noreply"
    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


class Visibility(StrEnum):
    """CLASS of a VEVENT; default when it has none."""

    DEFAULT = "default"
    PUBLIC = "public"
    PRIVATE = "private"


class ReminderMethod(StrEnum):
    """ACTION of a VALARM; everything that is no email pops up."""

    EMAIL = "email"
    POPUP = "popup"


@dataclass(frozen=True, slots=True)
class Timespan:
    """From one moment to another, in unix seconds; the zones are IANA names, "" when they have none."""

    start: int
    end: int
    start_timezone: str
    end_timezone: str


@dataclass(frozen=True, slots=True)
class Day:
    """One whole day, wherever one is."""

    date: date


@dataclass(frozen=True, slots=True)
class Datespan:
    """Several whole days; ``end_date`` is the first day that is free again, as in DTEND."""

    start_date: date
    end_date: date


When = Timespan | Day | Datespan


@dataclass(frozen=True, slots=True)
class Person:
    """An organizer; ``email`` is "" when the calendar user has no address."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody invited, and what they answered."""

    name: str
    email: str
    status: Reply


@dataclass(frozen=True, slots=True)
class Reminder:
    """An alarm, in minutes before the start; negative means after it."""

    minutes: int
    method: ReminderMethod


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """One VEVENT, or one occurrence of it; every string can be stored as UTF-8 text without U+0000.

    Attributes:
        recurrence_id: the occurrence (``20260101T090000Z`` or ``20260101``); "" for a master or a single event.
        original_start: the same in unix seconds (midnight UTC for a date).
        when: None when the event has no readable start.
        rrule: RRULE values of a master; an occurrence has none.
        rdate, exdate: in the form of ``recurrence_id``.
        created, updated: unix seconds.
        defects: what had to be guessed or left out, in words for a log.
    """

    uid: str
    recurrence_id: str
    original_start: int | None
    summary: str
    description: str
    location: str
    when: When | None
    busy: bool
    status: EventStatus
    organizer: Person | None
    attendees: list[Attendee]
    rrule: list[str]
    rdate: list[str]
    exdate: list[str]
    sequence: int
    created: int | None
    updated: int | None
    url: str
    visibility: Visibility
    reminders: list[Reminder]
    defects: list[str] = field(default_factory=list[str])

    @property
    def all_day(self) -> bool:
        """Whether the event is made of days rather than of moments."""
        return isinstance(self.when, Day | Datespan)
