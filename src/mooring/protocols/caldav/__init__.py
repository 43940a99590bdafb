"""Reading calendars by CalDAV over an HTTP client that is handed in (RFC 4791, 6578, 6764).

It finds a user's calendars, lists them, and fetches objects as iCalendar text. It does not dial, choose
an exit, read iCalendar, write to calendars, or know what a grant is. Credentials never leave the
registrable domain of the address they were given for. Start at ``client.py``.
"""

from mooring.protocols.caldav.client import CalDavClient
from mooring.protocols.caldav.documents import read_xml
from mooring.protocols.caldav.errors import (
    DavError,
    NotCalDav,
    NotEncrypted,
    RedirectRefused,
    ResponseTooLarge,
    SyncTokenInvalid,
)
from mooring.protocols.caldav.exchange import Answer
from mooring.protocols.caldav.types import CalendarHome, CalendarInfo, CalendarObject, FetchedObjects, SyncChanges
from mooring.protocols.caldav.visitor import Visitor

__all__ = [
    "Answer",
    "CalDavClient",
    "CalendarHome",
    "CalendarInfo",
    "CalendarObject",
    "DavError",
    "FetchedObjects",
    "NotCalDav",
    "NotEncrypted",
    "RedirectRefused",
    "ResponseTooLarge",
    "SyncChanges",
    "SyncTokenInvalid",
    "Visitor",
    "read_xml",
]
