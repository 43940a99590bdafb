"""The stored copy of a mailbox: folders, messages, where each lies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec


class SpecialUse(StrEnum):
    """What a folder is for (RFC 6154), in the API's spelling."""

    INBOX = "\\Inbox"
    SENT = "\\Sent"
    DRAFTS = "\\Drafts"
    TRASH = "\\Trash"
    JUNK = "\\Junk"
    ARCHIVE = "\\Archive"
    ALL = "\\All"
    IMPORTANT = "\\Important"


class Obstacle(StrEnum):
    """Why a message is passed over."""

    #: it is larger than we take, and stays so
    TOO_LARGE = "too large"
    #: the server says no to whoever asks for it
    REFUSED = "refused"
    #: the server finds it, and gives nothing
    LEFT_OUT = "left out"
    #: the connection ends at it
    CUT = "cut"
    #: we fail to read it
    UNREADABLE = "unreadable"
    #: the database does not take it
    UNSTORABLE = "unstorable"


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a grant.

    Attributes:
        path: the mailbox's name with its hierarchy, decoded.
        wire_name: the name as the server spells it; what is sent back to it.
        attributes: special uses, and the server's other LIST attributes.
        uid_validity, origin: what its UIDs belong to: the server's number, and the mailbox that it was read from.
        fetched_at: when its newest messages were first stored; None: never looked into (spec §6.9).
        complete_at: when everything of the window was first stored; None: still being copied.
        synced_at: when it was last seen to be in step.
        error: the failure that keeps it from being read, as ``provider_error``; or None.
    """

    grant_id: str
    id: str
    path: str
    wire_name: bytes
    delimiter: str
    attributes: tuple[str, ...]
    selectable: bool
    uid_validity: int | None = None
    origin: str | None = None
    uid_next: int | None = None
    highest_modseq: int | None = None
    fetched_at: datetime | None = None
    complete_at: datetime | None = None
    synced_at: datetime | None = None
    error: dict[str, Any] | None = None
    total_count: int = 0
    unread_count: int = 0
    child_count: int = 0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(self.delimiter)[2] if self.delimiter else self.path


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name and an address, as the API shows them."""

    email: str
    name: str = ""


class Attachment(msgspec.Struct, frozen=True):
    """An attachment of a message.

    Attributes:
        id: also the stable path of its MIME part, in URL-safe letters.
        size: bytes, decoded.
    """

    id: str
    filename: str
    content_type: str
    size: int
    content_id: str = ""
    content_disposition: str = ""
    is_inline: bool = False
    grant_id: str = ""


JsonText = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "string"})]
"""A string, as the JSON that it is stored and shown as."""


class Message(msgspec.Struct, frozen=True):
    """One message as it is read: the same whether it came from the stored copy or live from the server.

    The body, the address lists and the attachments are JSON as stored, since a page is mostly made of them and
    nobody in between looks inside.

    Attributes:
        id: of the content (spec §6.19). date, created_at: unix seconds.
        body: HTML, or the plain text where there is no HTML; a string.
        folders: ids.
    """

    id: str
    grant_id: str
    thread_id: str
    subject: str
    from_: msgspec.Raw = msgspec.field(name="from")
    to: msgspec.Raw
    cc: msgspec.Raw
    bcc: msgspec.Raw
    reply_to: msgspec.Raw
    date: int
    unread: bool
    starred: bool
    snippet: str
    body: JsonText
    folders: list[str]
    attachments: msgspec.Raw
    created_at: int
    object: str = "message"


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list; None and () ask for any. Times are unix seconds.

    Attributes:
        filename: of one of the attachments.
    """

    folder_id: str | None = None
    subject: str | None = None
    any_email: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    unread: bool | None = None
    starred: bool | None = None
    has_attachment: bool | None = None
    filename: str | None = None
    thread_id: str | None = None
    received_before: int | None = None
    received_after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages, newest first.

    Attributes:
        next_cursor: what to ask for next, or None at the end.
        synced_at: how fresh they are; None when they came live from the server.
    """

    messages: list[Message]
    next_cursor: str | None
    synced_at: datetime | None
