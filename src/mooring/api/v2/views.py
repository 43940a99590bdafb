"""The objects of v2 as they look on the wire (contract 6.3, 6.6)."""

from typing import Any

import msgspec

from mooring.api.answers import unix
from mooring.grants import Grant, GrantStatus
from mooring.mail import Attachment, Folder, JsonText, Message, SpecialUse

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

_attachments = msgspec.json.Decoder(list[Attachment])


class AccountView(msgspec.Struct):
    """An account as its own access token sees it."""

    id: str
    account_id: str
    email_address: str
    name: str
    provider: str
    sync_state: str
    linked_at: int | None
    organization_unit: str = "folder"
    billing_state: str = "paid"
    object: str = "account"


class ConnectedView(AccountView):
    """The same, with the access token, which is shown this once."""

    access_token: str = ""


class ManagedAccountView(msgspec.Struct):
    """An account as its application sees it."""

    id: str
    account_id: str
    namespace_id: str
    email: str
    provider: str
    sync_state: str
    created_at: int | None
    billing_state: str = "paid"
    authentication_type: str = "password"
    trial: bool = False
    metadata: dict[str, str] = {}


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
    """A folder, by its role and its name."""

    id: str
    name: str
    display_name: str


class MessageView(msgspec.Struct):
    """A message."""

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
    object: str = "message"


def account_view(grant: Grant) -> AccountView:
    """The account to its own token."""
    return AccountView(**_account(grant))


def connected_view(grant: Grant, access_token: str) -> ConnectedView:
    """The account to whoever has just connected it."""
    return ConnectedView(**_account(grant), access_token=access_token)


def managed_account_view(grant: Grant) -> ManagedAccountView:
    """The account to its application."""
    state = sync_state(grant)
    return ManagedAccountView(
        id=grant.id,
        account_id=grant.id,
        namespace_id=grant.id,
        email=grant.email,
        provider=grant.provider,
        sync_state="invalid-credentials" if state == "invalid" else state,
        created_at=unix(grant.created_at),
    )


def sync_state(grant: Grant) -> str:
    """How its synchronisation is doing, in v2's words (contract 6.4)."""
    if grant.stopped_at is not None:
        return "stopped"
    if grant.status is GrantStatus.INVALID:
        return "invalid"
    if grant.sync_error is not None:
        return "sync_error"
    return "initializing" if grant.synced_at is None else "running"


def role_of(folder: Folder) -> str:
    """What the folder is for, or "" if nothing special."""
    return next((_ROLES[SpecialUse(a)] for a in folder.attributes if a in _ROLES), "")


def message_view(message: Message, folders: dict[str, Folder]) -> MessageView:
    """A message; of several folders that it lies in, v2 shows one.

    Args:
        folders: of the account, by id.
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
        files=[_file(message, a) for a in _attachments.decode(message.attachments)],
        folder=FolderView(folder.id, role_of(folder), folder.path) if folder else None,
        events=[],
    )


def _account(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "account_id": grant.id,
        "email_address": grant.email,
        "name": grant.name,
        "provider": grant.provider,
        "sync_state": sync_state(grant),
        "linked_at": unix(grant.created_at),
    }


def _file(message: Message, attachment: Attachment) -> FileView:
    return FileView(
        id=attachment.id,
        filename=attachment.filename,
        content_type=attachment.content_type,
        size=attachment.size,
        content_id=attachment.content_id,
        content_disposition=attachment.content_disposition,
        message_ids=[message.id],
        account_id=message.grant_id,
    )
