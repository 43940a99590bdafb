"""The stored copy of calendars: their objects, sealed with a key of their grant, and the events in them.

It writes what the synchronisation brings and reads what the API asks for, with recurring events
expanded; it knows no server and dials nobody. Start at ``types.py``; what one object becomes is in
``series.py``, how a page is put together in ``pages.py``.
"""

from mooring.calendars.held import HeldSeries
from mooring.calendars.reader import CalendarReader
from mooring.calendars.records import calendar_id, calendars_of, split_id
from mooring.calendars.series import DAY_S, LONGEST_S, Series, series_of
from mooring.calendars.types import Calendar, Event, EventPage, EventQuery
from mooring.calendars.views import CalendarView, calendar_view
from mooring.calendars.writer import CalendarWriter

__all__ = [
    "DAY_S",
    "LONGEST_S",
    "Calendar",
    "CalendarReader",
    "CalendarView",
    "CalendarWriter",
    "Event",
    "EventPage",
    "EventQuery",
    "HeldSeries",
    "Series",
    "calendar_id",
    "calendar_view",
    "calendars_of",
    "series_of",
    "split_id",
]
