"""From what a server says to the API's shapes: calendars, events and their occurrences, and their ids."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from mooring.calendars.types import Calendar, Event
from mooring.ids import digest_id
from mooring.protocols.caldav import CalendarInfo
from mooring.protocols.ical import Datespan, Day, ParsedEvent, Person, Reminder, Timespan, When

EVENT_ID_LENGTH = 24
"""Letters of an event's id (``ids.digest_id``); what follows names an occurrence."""


def calendar_id(grant_id: str, url: str) -> str:
    """The id of a calendar: of its URL."""
    return digest_id(grant_id, "calendar", url)


def calendars_of(grant_id: str, infos: Sequence[CalendarInfo]) -> list[Calendar]:
    """Those of the listed collections that hold events; the first is primary where the server names none."""
    calendars = [i for i in infos if not i.components or "VEVENT" in i.components]
    primary = next((i.url for i in calendars if i.is_primary), "")
    primary = primary or next((i.url for i in calendars if not i.is_read_only), "")
    primary = primary or next((i.url for i in calendars), "")
    return [
        Calendar(
            grant_id=grant_id,
            id=calendar_id(grant_id, info.url),
            url=info.url,
            name=info.name or unquote(urlsplit(info.url).path.rstrip("/").rpartition("/")[2]) or "Calendar",
            description=info.description,
            timezone=info.timezone,
            hex_color=info.color,
            read_only=info.is_read_only,
            is_primary=info.url == primary,
            ctag=info.ctag,
            sync_token=info.sync_token,
        )
        for info in calendars
    ]


def occurrence_id(series_id: str, original_start: int) -> str:
    """The id of one occurrence: it stays when the occurrence is moved."""
    return f"{series_id}_{original_start}"


def split_id(event_id: str) -> tuple[str, int | None]:
    """The id of the series, and the original start of the occurrence that is meant; None for the series itself."""
    series, rest = event_id[:EVENT_ID_LENGTH], event_id[EVENT_ID_LENGTH:]
    if not rest:
        return series, None
    number = rest.removeprefix("_").removeprefix("-")
    if not rest.startswith("_") or not (number.isascii() and number.isdigit()) or len(number) > 18:
        return event_id, None
    return series, int(rest[1:])


def event_of(parsed: ParsedEvent, when: When, *, calendar: Calendar, series_id: str) -> Event:
    """The event, or the occurrence, in the API's shape."""
    is_occurrence = parsed.original_start is not None
    return Event(
        id=series_id if parsed.original_start is None else occurrence_id(series_id, parsed.original_start),
        grant_id=calendar.grant_id,
        calendar_id=calendar.id,
        title=parsed.summary,
        description=parsed.description,
        location=parsed.location,
        when=_when(when),
        busy=parsed.busy,
        read_only=calendar.read_only,
        participants=[{"email": a.email, "name": a.name, "status": str(a.status)} for a in parsed.attendees if a.email],
        organizer=_organizer(parsed.organizer),
        status=str(parsed.status),
        visibility=str(parsed.visibility),
        recurrence=_recurrence(parsed) or None,
        master_event_id=series_id if is_occurrence else None,
        original_start_time=parsed.original_start,
        ical_uid=parsed.uid,
        html_link=parsed.url,
        reminders=_reminders(parsed.reminders),
        created_at=parsed.created or parsed.updated or 0,
        updated_at=parsed.updated or parsed.created or 0,
    )


def _when(when: When) -> dict[str, Any]:
    """The time of an event with its ``object`` (contract 4.6); the end of several days is the first day after."""
    match when:
        case Timespan(start, end, zone, _) if start == end:
            return {"object": "time", "time": start} | _named(timezone=zone)
        case Timespan(start, end, zone, end_zone):
            times = {"object": "timespan", "start_time": start, "end_time": end}
            return times | _named(start_timezone=zone, end_timezone=end_zone)
        case Day(day):
            return {"object": "date", "date": day.isoformat()}
        case Datespan(first, free):
            return {"object": "datespan", "start_date": first.isoformat(), "end_date": free.isoformat()}


def _named(**zones: str) -> dict[str, Any]:
    return {key: zone for key, zone in zones.items() if zone}


def _organizer(person: Person | None) -> dict[str, Any] | None:
    return {"email": person.email, "name": person.name} if person and (person.email or person.name) else None


def _recurrence(parsed: ParsedEvent) -> list[str]:
    lines = [f"RRULE:{rule}" for rule in parsed.rrule]
    lines += [f"RDATE:{','.join(parsed.rdate)}"] if parsed.rdate else []
    lines += [f"EXDATE:{','.join(parsed.exdate)}"] if parsed.exdate else []
    return lines


def _reminders(reminders: Sequence[Reminder]) -> dict[str, Any]:
    overrides = [{"reminder_minutes": r.minutes, "reminder_method": str(r.method)} for r in reminders]
    return {"use_default": False, "overrides": overrides}
