"""The objects of v3 as they look on the wire, where that is not how they are held inside."""

from typing import Any

import msgspec

from mooring.api.answers import unix
from mooring.calendars import Calendar
from mooring.grants import Grant, settings_as_api
from mooring.mail import Attachment, Folder, SpecialUse

_SPECIAL = frozenset(str(use) for use in SpecialUse)


class SyncView(msgspec.Struct):
    """How a grant's synchronisation is doing: ``pending``, ``ok`` or ``failing``."""

    state: str
    synced_at: int | None
    error: dict[str, Any] | None


class GrantView(msgspec.Struct):
    """A grant; ``environment`` and ``sync`` are ours."""

    id: str
    provider: str
    grant_status: str
    email: str
    name: str
    scope: tuple[str, ...]
    settings: dict[str, Any]
    user_agent: str
    ip: str
    state: str
    created_at: int | None
    updated_at: int | None
    environment: str
    sync: SyncView
    provider_user_id: str
    blocked: bool = False
    email_aliases: tuple[str, ...] = ()
    account_id: str | None = None
    credential_id: str | None = None
    workspace_id: str | None = None
    object: str = "grant"


class FolderView(msgspec.Struct):
    """A folder; its name is the whole path, as an IMAP folder's is (contract 4.3).

    Attributes:
        unread_count, total_count: None as long as it is being copied: what is not known yet is not 0 (spec §6.9).
    """

    id: str
    grant_id: str
    name: str
    parent_id: str | None
    system_folder: bool
    child_count: int
    unread_count: int | None
    total_count: int | None
    attributes: list[str]
    object: str = "folder"


class AttachmentView(msgspec.Struct):
    """What an attachment is, without its bytes."""

    id: str
    grant_id: str
    message_id: str
    filename: str
    content_type: str
    size: int
    content_id: str
    content_disposition: str
    is_inline: bool
    object: str = "attachment"


class CalendarView(msgspec.Struct):
    """A calendar."""

    id: str
    grant_id: str
    name: str
    description: str
    timezone: str
    hex_color: str | None
    is_primary: bool
    read_only: bool
    is_owned_by_user: bool
    object: str = "calendar"


def grant_view(grant: Grant) -> GrantView:
    """The grant, without anything secret."""
    return GrantView(
        id=grant.id,
        provider=grant.provider,
        grant_status=str(grant.status),
        email=grant.email,
        name=grant.name,
        scope=grant.scope,
        settings=settings_as_api(grant.settings),
        user_agent=grant.user_agent,
        ip=grant.ip,
        state=grant.state,
        created_at=unix(grant.created_at),
        updated_at=unix(grant.updated_at),
        environment=str(grant.environment),
        sync=SyncView(state=_sync_state(grant), synced_at=unix(grant.synced_at), error=grant.sync_error),
        provider_user_id=grant.email,
    )


def folder_views(folders: list[Folder]) -> list[FolderView]:
    """The folders of one grant, each with the id of the one above it."""
    ids = {folder.path: folder.id for folder in folders}
    return [folder_view(folder, ids.get(_parent_path(folder))) for folder in folders]


def parent_of(folder: Folder, folders: list[Folder]) -> str | None:
    """The id of the folder above this one."""
    return next((above.id for above in folders if above.path == _parent_path(folder)), None)


def folder_view(folder: Folder, parent_id: str | None) -> FolderView:
    """One folder."""
    attributes = [a for a in folder.attributes if a in _SPECIAL]
    is_counted = folder.complete_at is not None or not folder.selectable
    return FolderView(
        id=folder.id,
        grant_id=folder.grant_id,
        name=folder.path,
        parent_id=parent_id,
        system_folder=bool(attributes),
        child_count=folder.child_count,
        unread_count=folder.unread_count if is_counted else None,
        total_count=folder.total_count if is_counted else None,
        attributes=attributes,
    )


def attachment_view(grant: Grant, message_id: str, attachment: Attachment) -> AttachmentView:
    """One attachment of one message."""
    return AttachmentView(
        id=attachment.id,
        grant_id=grant.id,
        message_id=message_id,
        filename=attachment.filename,
        content_type=attachment.content_type,
        size=attachment.size,
        content_id=attachment.content_id,
        content_disposition=attachment.content_disposition,
        is_inline=attachment.is_inline,
    )


def calendar_view(calendar: Calendar) -> CalendarView:
    """One calendar."""
    return CalendarView(
        id=calendar.id,
        grant_id=calendar.grant_id,
        name=calendar.name,
        description=calendar.description,
        timezone=calendar.timezone,
        hex_color=calendar.hex_color or None,
        is_primary=calendar.is_primary,
        read_only=calendar.read_only,
        is_owned_by_user=not calendar.read_only,
    )


def _sync_state(grant: Grant) -> str:
    if grant.sync_error is not None:
        return "failing"
    return "pending" if grant.synced_at is None else "ok"


def _parent_path(folder: Folder) -> str:
    return folder.path.rpartition(folder.delimiter)[0] if folder.delimiter else ""
