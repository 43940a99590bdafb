"""What lies in a mailbox, as v2 shows it (contract 6.6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mooring.mail import Attachment, File, Folder, JsonText, Message, Party, SpecialUse, Thread

_ROLES = {
    SpecialUse.INBOX: "inbox",
    SpecialUse.SENT: "sent",
    SpecialUse.DRAFTS: "drafts",
    SpecialUse.TRASH: "trash",
    SpecialUse.JUNK: "spam",
    SpecialUse.ARCHIVE: "archive",
    SpecialUse.ALL: "all",
    SpecialUse.IMPORTANT: "important",
}

_SHOWN_HEADERS = {"message-id": "Message-Id", "in-reply-to": "In-Reply-To", "references": "References"}
"""The headers of the expanded view."""

_PART = "-part-"
"""Where the id of a file is cut in two: in v2 it stands alone, so it names the message and the part of it."""

_attachments = msgspec.json.Decoder(list[Attachment])


class FileView(msgspec.Struct):
    """An attachment."""

    id: str
    filename: str
    content_type: str
    size: int
    content_id: str
    content_disposition: str
    message_ids: list[str]
    account_id: str
    object: str = "file"


class FolderView(msgspec.Struct):
    """A folder, by its role (null where it has none) and its name."""

    id: str
    account_id: str
    name: str | None
    display_name: str
    object: str = "folder"


class MessageView(msgspec.Struct):
    """A message; ``headers`` in the expanded view only."""

    id: str
    account_id: str
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
    files: list[FileView]
    folder: FolderView | None
    events: list[Any]
    headers: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    object: str = "message"


class ThreadView(msgspec.Struct):
    """A thread; ``version`` is what its messages are, so that it changes with them."""

    id: str
    account_id: str
    subject: str
    snippet: str
    participants: Sequence[Party]
    first_message_timestamp: int
    last_message_timestamp: int
    last_message_received_timestamp: int | None
    last_message_sent_timestamp: int | None
    message_ids: Sequence[str]
    draft_ids: Sequence[str]
    version: int
    unread: bool
    starred: bool
    has_attachments: bool
    folders: list[FolderView]
    object: str = "thread"


def role_of(folder: Folder) -> str:
    """What the folder is for, or "" if nothing special."""
    return next((_ROLES[SpecialUse(a)] for a in folder.attributes if a in _ROLES), "")


def folder_view(folder: Folder) -> FolderView:
    """A folder."""
    return FolderView(folder.id, folder.grant_id, role_of(folder) or None, folder.path)


def message_view(
    message: Message, folders: Mapping[str, Folder], headers: Sequence[tuple[str, str]] | None = None
) -> MessageView:
    """A message; of several folders that it lies in, v2 shows one.

    Args:
        folders: of the account, by id.
        headers: all that the message has, for the expanded view.
    """
    folder = next((folders[i] for i in message.folders if i in folders), None)
    return MessageView(
        id=message.id,
        account_id=message.grant_id,
        thread_id=message.thread_id,
        subject=message.subject,
        from_=message.from_,
        to=message.to,
        cc=message.cc,
        bcc=message.bcc,
        reply_to=message.reply_to,
        date=message.date,
        unread=message.unread,
        starred=message.starred,
        snippet=message.snippet,
        body=message.body,
        files=[file_view(message.grant_id, File(message.id, a)) for a in _attachments.decode(message.attachments)],
        folder=folder_view(folder) if folder is not None else None,
        events=[],
        headers=_shown(headers) if headers is not None else msgspec.UNSET,
    )


def thread_view(thread: Thread, folders: Mapping[str, Folder]) -> ThreadView:
    """A thread.

    Args:
        folders: of the account, by id.
    """
    return ThreadView(
        id=thread.id,
        account_id=thread.grant_id,
        subject=thread.subject,
        snippet=thread.snippet,
        participants=thread.participants,
        first_message_timestamp=thread.first_at,
        last_message_timestamp=thread.last_at,
        last_message_received_timestamp=thread.last_received_at,
        last_message_sent_timestamp=thread.last_sent_at,
        message_ids=thread.message_ids,
        draft_ids=thread.draft_ids,
        version=len(thread.message_ids) + len(thread.draft_ids),
        unread=thread.unread,
        starred=thread.starred,
        has_attachments=thread.has_attachments,
        folders=[folder_view(folders[i]) for i in thread.folders if i in folders],
    )


def file_view(account_id: str, file: File) -> FileView:
    """A file."""
    attachment = file.attachment
    return FileView(
        id=f"{file.message_id}-{attachment.id}",
        filename=attachment.filename,
        content_type=attachment.content_type,
        size=attachment.size,
        content_id=attachment.content_id,
        content_disposition=attachment.content_disposition,
        message_ids=[file.message_id],
        account_id=account_id,
    )


def read_file_id(written: str) -> tuple[str, str]:
    """The message and the attachment that a file's id names; both are empty where it is none."""
    message_id, _, part = written.rpartition(_PART)
    return (message_id, f"{_PART[1:]}{part}") if message_id else ("", "")


def _shown(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The first of each of the headers that the expanded view has."""
    found: dict[str, str] = {}
    for name, value in headers:
        if shown := _SHOWN_HEADERS.get(name.lower()):
            found.setdefault(shown, value)
    return found
