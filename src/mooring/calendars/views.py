"""Calendars in the API's shape."""

import msgspec

from mooring.calendars.types import Calendar


class CalendarView(msgspec.Struct):
    """A calendar."""

    id: str
    grant_id: str
    name: str
    description: str
    timezone: str
    hex_color: str | None
    is_primary: bool
    read_only: bool
    is_owned_by_user: bool
    object: str = "calendar"


def calendar_view(calendar: Calendar) -> CalendarView:
    """One calendar."""
    return CalendarView(
        id=calendar.id,
        grant_id=calendar.grant_id,
        name=calendar.name,
        description=calendar.description,
        timezone=calendar.timezone,
        hex_color=calendar.hex_color or None,
        is_primary=calendar.is_primary,
        read_only=calendar.read_only,
        is_owned_by_user=not calendar.read_only,
    )
