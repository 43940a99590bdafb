"""Everything that can be delivered, an entry each: from these follow payloads, samples and docs/webhooks.md."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mooring.config import Generation
from mooring.events import EventType


class Subject(StrEnum):
    """What a fact is about; it decides what ``data.object`` shows."""

    GRANT = "grant"
    MESSAGE = "message"
    SUBMISSION = "submission"
    FOLDER = "folder"
    CALENDAR = "calendar"
    EVENT = "event"
    SYNC = "sync"
    DIAGNOSIS = "diagnosis"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event.

    Attributes:
        when: in a sentence.
        source: where it comes from, as the envelope says; ``{provider}`` is the grant's.
        ours: not in the vocabulary of every official SDK. The Python SDK cannot read a list of webhooks with a
            trigger that it does not know (contract 1.7), so these are in ``mooring_trigger_types`` instead.
        node: of ours, one that the Node SDK knows and the Python SDK does not (contract 5.2).
        v2: its name there; "" where v2 has none.
        sample: of ``data.object``; beside: what ``data`` holds beside it.
    """

    type: EventType
    subject: Subject
    when: str
    source: str
    sample: dict[str, Any]
    ours: bool = False
    node: bool = False
    v2: str = ""
    beside: dict[str, Any] = field(default_factory=dict[str, Any])


_GRANT: dict[str, Any] = {"grant_id": "0f9c2d…", "provider": "imap", "integration_id": "7be2c1…"}
_MESSAGE: dict[str, Any] = {
    "id": "Yx3kQe0w9c7sN1dZb2VhUq4t",
    "object": "message",
    "grant_id": "0f9c2d…",
    "thread_id": "p0TnW4xq8LQ2sYc1eVb7Gm3d",
    "subject": "Survey of the harbour",
    "from": [{"email": "ann@example.com", "name": "Ann"}],
    "to": [{"email": "bo@example.com"}],
    "cc": [],
    "bcc": [],
    "reply_to": [],
    "date": 1767225600,
    "unread": True,
    "starred": False,
    "snippet": "The new soundings are in.",
    "body": "<p>The new soundings are in.</p>",
    "folders": ["h1Vd0sPzq3mXk9wTb5RcYa7e"],
    "attachments": [],
    "created_at": 1767225601,
}
_GONE_MESSAGE: dict[str, Any] = {"id": _MESSAGE["id"], "grant_id": _MESSAGE["grant_id"], "object": "message"}
_FOLDER: dict[str, Any] = {
    "id": "h1Vd0sPzq3mXk9wTb5RcYa7e",
    "object": "folder",
    "grant_id": "0f9c2d…",
    "name": "Projects/Harbour",
    "parent_id": None,
    "system_folder": False,
    "child_count": 0,
    "unread_count": 3,
    "total_count": 41,
    "attributes": [],
}
_GONE_FOLDER: dict[str, Any] = {k: _FOLDER[k] for k in ("id", "grant_id", "name", "object", "system_folder")}
_CALENDAR: dict[str, Any] = {
    "id": "c7QmZt2vX0nRk5yLs8BdWe1a",
    "object": "calendar",
    "grant_id": "0f9c2d…",
    "name": "Tides",
    "description": "",
    "timezone": "Europe/Lisbon",
    "hex_color": None,
    "is_primary": False,
    "read_only": False,
    "is_owned_by_user": True,
}
_GONE_CALENDAR: dict[str, Any] = {k: _CALENDAR[k] for k in ("id", "grant_id", "object")}
_EVENT: dict[str, Any] = {
    "id": "e4SjYk7cW1pUz0nHq9FbRv6x",
    "object": "event",
    "grant_id": "0f9c2d…",
    "calendar_id": _CALENDAR["id"],
    "title": "High water",
    "when": {"object": "timespan", "start_time": 1767258000, "end_time": 1767261600},
    "busy": True,
    "participants": [],
    "status": "confirmed",
}
_GONE_EVENT: dict[str, Any] = {
    "id": _EVENT["id"],
    "grant_id": _EVENT["grant_id"],
    "calendar_id": _EVENT["calendar_id"],
    "master_event_id": None,
    "object": "event",
}
_WATCH: dict[str, Any] = {
    "id": "w8Tn…",
    "object": "watch",
    "state": "open",
    "servers": ["imap imap.example.com:993"],
    "change": "opened",
    "at": 1767225600,
    "addresses": ["203.0.113.12"],
    "open": 4,
    "total": 4,
    "grant_id": None,
}
_FAILURE: dict[str, Any] = {
    "stage": "connect",
    "reason": "timeout",
    "host": "imap.example.com",
    "port": 993,
    "source": "203.0.113.10",
    "environment": "static",
}

SYSTEM, SEND = "/nylas/system", "/nylas/send"
"""As clients know them from the envelope (contract 5.4)."""

_ENTRIES = (
    Entry(
        EventType.GRANT_CREATED, Subject.GRANT, "An account was connected.", SYSTEM, {"code": 25012, **_GRANT},
        v2="account.connected",
    ),
    Entry(
        EventType.GRANT_UPDATED, Subject.GRANT, "An account was authenticated anew, or its settings were changed.",
        SYSTEM, {"code": 25027, **_GRANT, "reauthentication_flag": True}, v2="account.running",
    ),
    Entry(
        EventType.GRANT_EXPIRED, Subject.GRANT, "The mail server no longer accepts the account's credentials.",
        SYSTEM, {"code": 25009, **_GRANT}, v2="account.invalid",
    ),
    Entry(
        EventType.GRANT_DELETED, Subject.GRANT, "An account was deleted, with all that was stored of it.", SYSTEM,
        {"code": 25013, **_GRANT},
    ),
    Entry(
        EventType.GRANT_STOPPED, Subject.GRANT, "An account was stopped: nothing is dialled for it until it starts.",
        SYSTEM, _GRANT, ours=True, v2="account.stopped",
    ),
    Entry(
        EventType.GRANT_STARTED, Subject.GRANT, "An account that was stopped is synchronised again.", SYSTEM, _GRANT,
        ours=True, v2="account.running",
    ),
    Entry(
        EventType.GRANT_MOVED, Subject.GRANT, "An account's connections leave from another environment now.", SYSTEM,
        {**_GRANT, "environment": "static"}, ours=True,
    ),
    Entry(
        EventType.MESSAGE_CREATED, Subject.MESSAGE, "A message arrived, or was sent, since the account was connected.",
        "/{provider}/emails/realtime", _MESSAGE, v2="message.created",
    ),
    Entry(
        EventType.MESSAGE_UPDATED, Subject.MESSAGE, "A message was read, starred, or moved.",
        "/{provider}/emails/realtime", {**_MESSAGE, "unread": False}, v2="message.updated",
    ),
    Entry(
        EventType.MESSAGE_DELETED, Subject.MESSAGE, "A message lies in no folder any more.",
        "/{provider}/emails/realtime", _GONE_MESSAGE,
    ),
    Entry(
        EventType.MESSAGE_SEND_SUCCESS, Subject.SUBMISSION, "The mail server took a message that was sent by the API.",
        SEND, {"id": _MESSAGE["id"], "grant_id": "0f9c2d…", "thread_id": _MESSAGE["thread_id"], "object": "message"},
    ),
    Entry(
        EventType.MESSAGE_SEND_FAILED, Subject.SUBMISSION, "A message that was sent by the API was not delivered, or "
        "nobody can say whether it was.", SEND,
        _GONE_MESSAGE,
        beside={
            "reason": "refused",
            "error": {
                "type": "api.provider_error", "message": "smtp.example.com:465 refuses the recipient.",
                "status_code": 422, "provider_error": {"stage": "send", "reason": "refused"},
            },
        },
    ),
    Entry(
        EventType.FOLDER_CREATED, Subject.FOLDER, "A folder was made.", "/{provider}/folders/realtime", _FOLDER,
        v2="folder.created",
    ),
    Entry(
        EventType.FOLDER_UPDATED, Subject.FOLDER, "A folder is used for something else, or can be opened now.",
        "/{provider}/folders/realtime", _FOLDER, v2="folder.updated",
    ),
    Entry(
        EventType.FOLDER_DELETED, Subject.FOLDER, "A folder is gone, or has another name now.",
        "/{provider}/folders/realtime", _GONE_FOLDER,
    ),
    Entry(
        EventType.CALENDAR_CREATED, Subject.CALENDAR, "A calendar was made.", "/{provider}/calendars/realtime",
        _CALENDAR, v2="calendar.created",
    ),
    Entry(
        EventType.CALENDAR_UPDATED, Subject.CALENDAR, "A calendar has another name, colour or time zone.",
        "/{provider}/calendars/realtime", _CALENDAR, v2="calendar.updated",
    ),
    Entry(
        EventType.CALENDAR_DELETED, Subject.CALENDAR, "A calendar is gone.", "/{provider}/calendars/realtime",
        _GONE_CALENDAR, v2="calendar.deleted",
    ),
    Entry(
        EventType.EVENT_CREATED, Subject.EVENT, "An event, or a series of them, was made.",
        "/{provider}/events/realtime", _EVENT, v2="event.created",
    ),
    Entry(
        EventType.EVENT_UPDATED, Subject.EVENT, "An event, or anything in its series, was changed.",
        "/{provider}/events/realtime", _EVENT, v2="event.updated",
    ),
    Entry(
        EventType.EVENT_DELETED, Subject.EVENT, "An event, or a whole series, is gone.",
        "/{provider}/events/realtime", _GONE_EVENT, v2="event.deleted",
    ),
    Entry(
        EventType.SYNC_COMPLETED, Subject.GRANT, "The first copy of a mailbox is whole.", SYSTEM,
        {"code": 25012, **_GRANT}, ours=True, node=True,
    ),
    Entry(
        EventType.SYNC_FAILED, Subject.SYNC, "A mailbox cannot be synchronised just now, and why.", SYSTEM,
        {**_GRANT, "error": _FAILURE}, ours=True, v2="account.sync_error",
    ),
    Entry(
        EventType.SYNC_RECOVERED, Subject.SYNC, "A mailbox that could not be synchronised is in step again.", SYSTEM,
        _GRANT, ours=True, v2="account.running",
    ),
    Entry(
        EventType.SYNC_GAP, Subject.SYNC, "For a while nobody looked into a mailbox, or a server gave its messages new "
        "numbers: what happened meanwhile is told late, or only as it ended.", SYSTEM,
        {**_GRANT, "reason": "uid_validity", "since": 1767225600, "folder_id": _FOLDER["id"]}, ours=True,
    ),
    Entry(
        EventType.DIAGNOSIS_RAISED, Subject.DIAGNOSIS, "An account's mail could not be synchronised, and from what "
        "happened it follows why. Nothing was dialled for that, and nobody had asked.", SYSTEM,
        {
            "id": "d5Rk…", "object": "diagnosis", "grant_id": "0f9c2d…", "code": "needed", "confidence": 0.9,
            "summary": "imap.example.com answers our static addresses and not our dynamic ones: it filters by address.",
        },
        ours=True,
    ),
    Entry(
        EventType.WATCH_CHANGED, Subject.WATCH, "A watched server lets some of your static addresses in that it did "
        "not, and not yet all; or the account of the watch was connected, or could not be (`change` says which).",
        SYSTEM, {**_WATCH, "state": "waiting", "open": 3}, ours=True,
    ),
    Entry(
        EventType.WATCH_OPENED, Subject.WATCH, "A watched server lets all of your static addresses in.", SYSTEM,
        _WATCH, ours=True,
    ),
    Entry(
        EventType.WATCH_CLOSED, Subject.WATCH, "A watched server no longer lets addresses in that it did: the rule is "
        "gone, or the server is down. Our own way out was seen to work.", SYSTEM,
        {**_WATCH, "state": "waiting", "change": "closed", "open": 2, "addresses": ["203.0.113.10", "203.0.113.11"]},
        ours=True,
    ),
    Entry(
        EventType.WATCH_ENDED, Subject.WATCH, "A watch is over: nobody opened in 14 days (`expired`), or all was open "
        "for 30 (`ended`); after 44 in any case.", SYSTEM,
        {**_WATCH, "state": "expired", "change": "expired", "open": 0, "addresses": []},
        ours=True,
    ),
)  # fmt: skip

CATALOGUE = {entry.type: entry for entry in _ENTRIES}
"""By type; the order is that of the documentation."""

TRIGGERS = frozenset(str(entry.type) for entry in _ENTRIES if not entry.ours)
"""What ``trigger_types`` may hold."""
OUR_TRIGGERS = frozenset(str(entry.type) for entry in _ENTRIES if entry.ours)
"""What ``mooring_trigger_types`` may hold."""
NODE_TRIGGERS = frozenset(str(entry.type) for entry in _ENTRIES if entry.node)
"""What of ``OUR_TRIGGERS`` stands in ``trigger_types`` for every caller but the Python SDK."""
V2_TRIGGERS = frozenset(entry.v2 for entry in _ENTRIES if entry.v2)
"""What ``triggers`` of v2 may hold."""


def types_behind(triggers: Collection[str], generation: Generation) -> list[str]:
    """The events that these triggers stand for; one of v2 may stand for several."""
    return [
        str(entry.type)
        for entry in _ENTRIES
        if (entry.v2 if generation is Generation.V2 else str(entry.type)) in triggers
    ]
