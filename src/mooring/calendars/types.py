"""The stored copy of calendars and their events, in the API's shapes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar of a grant.

    Attributes:
        url: the collection on the CalDAV server.
        hex_color: ``#rrggbb``, or "".
    """

    grant_id: str
    id: str
    url: str
    name: str
    description: str = ""
    timezone: str = ""
    hex_color: str = ""
    read_only: bool = False
    is_primary: bool = False
    ctag: str = ""
    sync_token: str = ""
    fetched_at: datetime | None = None
    synced_at: datetime | None = None
    error: dict[str, Any] | None = None


class Event(msgspec.Struct, frozen=True):
    """One event, or one occurrence of a recurring one, as the API shows it.

    Attributes:
        id: of the object for a single event or a series' master; occurrences carry their start as well.
        when: with ``object`` time, timespan, date or datespan (contract 4.6).
    """

    id: str
    grant_id: str
    calendar_id: str
    title: str
    description: str
    location: str
    when: dict[str, Any]
    busy: bool
    read_only: bool
    participants: list[dict[str, Any]]
    organizer: dict[str, Any] | None
    status: str
    visibility: str
    recurrence: list[str] | None
    master_event_id: str | None
    original_start_time: int | None
    ical_uid: str
    html_link: str
    reminders: dict[str, Any] | None
    created_at: int
    updated_at: int
    object: str = "event"


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events to list. Times are unix seconds; None asks for any."""

    start: int | None = None
    end: int | None = None
    title: str | None = None
    location: str | None = None
    description: str | None = None
    ical_uid: str | None = None
    busy: bool | None = None
    show_cancelled: bool = False
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, earliest first."""

    events: list[Event]
    next_cursor: str | None
    synced_at: datetime | None
