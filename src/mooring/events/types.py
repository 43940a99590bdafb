"""Facts that happened to a grant."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """What can have happened, in the words that the v3 API uses."""

    GRANT_CREATED = "grant.created"
    GRANT_UPDATED = "grant.updated"
    GRANT_EXPIRED = "grant.expired"
    GRANT_DELETED = "grant.deleted"
    MESSAGE_CREATED = "message.created"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_SEND_SUCCESS = "message.send_success"
    MESSAGE_SEND_FAILED = "message.send_failed"
    FOLDER_CREATED = "folder.created"
    FOLDER_DELETED = "folder.deleted"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened; ``data`` names what it happened to, by id."""

    type: EventType
    data: dict[str, Any]
