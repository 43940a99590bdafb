"""What there is to show of a fact: the object that it happened to, as it is now, or what is left of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mooring.calendars import CalendarReader, calendar_view
from mooring.errors import NotFound
from mooring.events import EventType, Recorded
from mooring.grants import Grant, Keys
from mooring.mail import MailReader, SpecialUse, folder_views
from mooring.webhooks.catalogue import CATALOGUE, Subject

_SPECIAL = frozenset(str(use) for use in SpecialUse)

_CODES = {
    EventType.GRANT_CREATED: 25012,
    EventType.SYNC_COMPLETED: 25012,
    EventType.GRANT_UPDATED: 25014,
    EventType.GRANT_EXPIRED: 25009,
    EventType.GRANT_DELETED: 25013,
}
"""Contract 5.4; what is ours has none."""
_REAUTHENTICATED = 25027

_Shown = dict[str, Any]


class Objects:
    """Finds what facts speak of. Bodies are in no fact, since those are not sealed; they are read as they are now."""

    def __init__(self, reader: MailReader, calendars: CalendarReader, keys: Keys) -> None:
        self._reader = reader
        self._calendars = calendars
        self._keys = keys

    async def shown(self, grant: Grant | None, facts: Sequence[Recorded]) -> list[_Shown]:
        """What to show of each of these facts of one grant: ``object``, and what stands beside it.

        Args:
            grant: None when it has been deleted.
        """
        found: Mapping[Subject, Mapping[str, Any]] = {}
        if grant is not None:
            try:
                found = await self._found(grant, facts)
            except NotFound:
                grant = None
        return [_shown(fact, found.get(CATALOGUE[fact.type].subject, {})) for fact in facts]

    async def _found(self, grant: Grant, facts: Sequence[Recorded]) -> dict[Subject, Mapping[str, Any]]:
        wanted: dict[Subject, list[Recorded]] = {}
        for fact in facts:
            if not fact.type.endswith(".deleted"):
                wanted.setdefault(CATALOGUE[fact.type].subject, []).append(fact)
        found: dict[Subject, Mapping[str, Any]] = {}
        if messages := wanted.get(Subject.MESSAGE):
            key = await self._keys.data_key(grant)
            stored = await self._reader.some(grant, key, [str(fact.data["id"]) for fact in messages])
            found[Subject.MESSAGE] = {identity: _mapping(message) for identity, message in stored.items()}
        if Subject.FOLDER in wanted:
            folders = await self._reader.folders(grant)
            found[Subject.FOLDER] = {view.id: _mapping(view) for view in folder_views(folders)}
        if Subject.CALENDAR in wanted or Subject.EVENT in wanted:
            calendars = {calendar.id: calendar for calendar in await self._calendars.calendars(grant)}
            found[Subject.CALENDAR] = {i: _mapping(calendar_view(calendar)) for i, calendar in calendars.items()}
            key = await self._keys.data_key(grant)
            events: dict[str, Any] = {}
            for fact in wanted.get(Subject.EVENT, ()):
                calendar, identity = calendars.get(str(fact.data["calendar_id"])), str(fact.data["id"])
                event = await self._calendars.event(calendar, key, identity) if calendar is not None else None
                if event is not None:
                    events[identity] = _mapping(event)
            found[Subject.EVENT] = events
        return found


def _shown(fact: Recorded, found: Mapping[str, Any]) -> _Shown:
    match CATALOGUE[fact.type].subject:
        case Subject.GRANT:
            return {"object": _grant(fact)}
        case Subject.DIAGNOSIS:
            return {"object": {"object": "diagnosis", "grant_id": fact.grant_id, **fact.data}}
        case Subject.WATCH:
            # A watch has facts of its own, and maybe no grant: what stands in its place there is its id.
            return {"grant_id": fact.data.get("grant_id"), "object": {"object": "watch", **fact.data}}
        case Subject.SYNC:
            return {"object": {"integration_id": fact.application_id, **fact.data}}
        case Subject.SUBMISSION:
            return _submission(fact)
        case Subject.MESSAGE | Subject.FOLDER | Subject.CALENDAR | Subject.EVENT as subject:
            identity = str(fact.data["id"])
            return {"object": found.get(identity) or _left(subject, fact)}


def _grant(fact: Recorded) -> _Shown:
    code = _REAUTHENTICATED if fact.data.get("reauthentication_flag") else _CODES.get(fact.type)
    numbered = {"code": code} if code is not None else {}
    return {**numbered, "grant_id": fact.grant_id, "integration_id": fact.application_id, **fact.data}


def _submission(fact: Recorded) -> _Shown:
    message = {"id": fact.data["id"], "grant_id": fact.grant_id, "object": "message"}
    if fact.type is EventType.MESSAGE_SEND_SUCCESS:
        return {"object": {**message, "thread_id": fact.data["thread_id"]}}
    stage, reason = fact.data["stage"], fact.data["reason"]
    error = {
        "type": "api.provider_error",
        "message": fact.data["message"],
        "status_code": 422,
        "provider_error": {"stage": stage, "reason": reason},
    }
    return {"reason": reason, "error": error, "object": message}


def _left(subject: Subject, fact: Recorded) -> _Shown:
    """What can be said of something that is gone."""
    left = {"id": fact.data["id"], "grant_id": fact.grant_id, "object": str(subject)}
    match subject:
        case Subject.FOLDER:
            attributes = set[str](fact.data.get("attributes", ()))
            return {**left, "name": fact.data.get("name", ""), "system_folder": bool(attributes & _SPECIAL)}
        case Subject.EVENT:
            return {**left, "calendar_id": fact.data["calendar_id"], "master_event_id": None}
        case _:
            return left


def _mapping(item: msgspec.Struct) -> _Shown:
    return {f.encode_name: getattr(item, f.name) for f in msgspec.structs.fields(item)}
