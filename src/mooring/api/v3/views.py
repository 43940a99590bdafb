"""The objects of v3 as they look on the wire, where that is not how they are held inside."""

from typing import Any

import msgspec

from mooring.api.answers import unix
from mooring.grants import Grant, settings_as_api
from mooring.mail import Attachment


class SyncView(msgspec.Struct):
    """How a grant's synchronisation is doing: ``pending``, ``ok``, ``failing`` or ``stopped``.

    Attributes:
        start_due_at: of one that a staged move stopped, when it can be started, or authenticated again.
    """

    state: str
    synced_at: int | None
    error: dict[str, Any] | None
    stopped_at: int | None
    start_due_at: int | None


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
        sync=SyncView(
            state=_sync_state(grant),
            synced_at=unix(grant.synced_at),
            error=grant.sync_error,
            stopped_at=unix(grant.stopped_at),
            start_due_at=unix(grant.start_due_at),
        ),
        provider_user_id=grant.email,
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


def _sync_state(grant: Grant) -> str:
    if grant.stopped_at is not None:
        return "stopped"
    if grant.sync_error is not None:
        return "failing"
    return "pending" if grant.synced_at is None else "ok"
