"""Keeping the stored copy in step with the servers, and reading: stored, or live where nothing is stored.

It speaks IMAP and CalDAV by sessions that ``grants`` opens, and writes through ``mail`` and
``calendars`` under a lease. It sends nothing. Start at ``worker.py`` for how mailboxes are held, at
``mailbox.py`` and ``calendars.py`` for one of them, at ``reading.py``, ``offsets.py`` and
``calendar_reading.py`` for what the API reads.
"""

from mooring.sync.calendar_live import LiveCalendars
from mooring.sync.calendar_reading import Calendars
from mooring.sync.live import LiveReader
from mooring.sync.offsets import Offsets
from mooring.sync.reading import Mailbox
from mooring.sync.worker import Worker

__all__ = ["Calendars", "LiveCalendars", "LiveReader", "Mailbox", "Offsets", "Worker"]
