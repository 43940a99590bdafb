"""Facts that happened to a grant."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """What can have happened, in the words that the v3 API uses."""

    GRANT_CREATED = "grant.created"
    GRANT_UPDATED = "grant.updated"
    GRANT_EXPIRED = "grant.expired"
    GRANT_DELETED = "grant.deleted"
    #: nothing is dialled for it any more, until it is started
    GRANT_STOPPED = "grant.stopped"
    #: it is synchronised again
    GRANT_STARTED = "grant.started"
    #: its connections leave from another environment now
    GRANT_MOVED = "grant.moved"
    MESSAGE_CREATED = "message.created"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_SEND_SUCCESS = "message.send_success"
    MESSAGE_SEND_FAILED = "message.send_failed"
    FOLDER_CREATED = "folder.created"
    FOLDER_UPDATED = "folder.updated"
    FOLDER_DELETED = "folder.deleted"
    CALENDAR_CREATED = "calendar.created"
    CALENDAR_UPDATED = "calendar.updated"
    CALENDAR_DELETED = "calendar.deleted"
    EVENT_CREATED = "event.created"
    EVENT_UPDATED = "event.updated"
    EVENT_DELETED = "event.deleted"
    #: the first copy of the mailbox is whole
    SYNC_COMPLETED = "grant.imap_sync_completed"
    #: synchronisation fails, for a reason other than a refused login
    SYNC_FAILED = "sync.failed"
    #: synchronisation works again
    SYNC_RECOVERED = "sync.recovered"
    #: for a while nobody looked, or what was known lost its meaning: changes may have been told late, or not singly
    SYNC_GAP = "sync.gap"
    #: what keeps an account from working was found out, without anybody asking
    DIAGNOSIS_RAISED = "diagnosis.raised"
    #: a watched server lets some of our addresses in that it did not, and not yet all of them
    WATCH_CHANGED = "watch.changed"
    #: a watched server lets all of our addresses in
    WATCH_OPENED = "watch.opened"
    #: a watched server no longer lets addresses in that it did
    WATCH_CLOSED = "watch.closed"
    #: a watch has ended
    WATCH_ENDED = "watch.ended"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened; ``data`` names what it happened to, by id."""

    type: EventType
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact in its place.

    Attributes:
        sequence: counts the grant's facts from 1, without a hole.
        at: when the transaction began that made it true.
    """

    application_id: str
    grant_id: str
    sequence: int
    type: EventType
    at: datetime
    data: dict[str, Any]
