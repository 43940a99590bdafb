"""What both generations say when an account is connected."""

from typing import Annotated, Any

import msgspec

from mooring.api.callers import address_of, user_agent_of
from mooring.api.doors import Req
from mooring.errors import InvalidRequest
from mooring.grants import (
    CALDAV_PORT,
    IMAP_PORT,
    SMTP_PORT,
    ConnectRequest,
    Credentials,
    Grant,
    Settings,
    TlsMode,
    as_request,
    parse_settings,
)

IMAP = "imap"

_TEXT, _PORT, _TLS = {"type": "string"}, {"type": "integer"}, {"type": "string", "enum": [*TlsMode]}

SETTINGS: dict[str, dict[str, Any]] = {
    "email": _TEXT,
    "imap_host": _TEXT,
    "imap_port": {**_PORT, "default": IMAP_PORT},
    "imap_username": _TEXT,
    "imap_password": _TEXT,
    "imap_tls": _TLS,
    "smtp_host": _TEXT,
    "smtp_port": {**_PORT, "default": SMTP_PORT},
    "smtp_username": _TEXT,
    "smtp_password": _TEXT,
    "smtp_tls": _TLS,
    "caldav_url": _TEXT,
    "caldav_host": _TEXT,
    "caldav_port": {**_PORT, "default": CALDAV_PORT},
    "caldav_username": _TEXT,
    "caldav_password": _TEXT,
}
"""What ``parse_settings`` reads, as JSON Schema: for people, since it is read there, and more leniently."""

SettingsBody = Annotated[dict[str, Any], msgspec.Meta(extra_json_schema={"properties": SETTINGS})]

_NOT_AT_HAND = Credentials("*")
"""Where a password would be tried can be told without it."""


def connect_request(
    request: Req,
    *,
    provider: str,
    settings: dict[str, Any],
    name: str | None,
    state: str | None,
    scope: list[str] | str | None,
) -> ConnectRequest:
    """The account to connect, with its passwords.

    Raises:
        InvalidRequest: we cannot connect accounts of this provider, or the settings lack something.
    """
    if provider.lower() != IMAP:
        raise InvalidRequest(
            f"Accounts of the provider {provider[:50]!r} cannot be connected here.",
            hint="'imap' can be, with imap_host, smtp_host and, for calendars, caldav_url in the settings.",
        )
    email, servers, credentials = parse_settings(settings)
    return ConnectRequest(
        provider=IMAP,
        email=email,
        settings=servers,
        credentials=credentials,
        name=name or "",
        state=state or "",
        scope=scopes(scope) or (),
        user_agent=user_agent_of(request),
        ip=address_of(request),
    )


def changed_servers(grant: Grant, changes: dict[str, Any]) -> Settings:
    """The servers and users that a grant would have after these changes of its ``settings``.

    Raises:
        InvalidRequest: one of them is wrong.
    """
    _, servers, _ = parse_settings({**as_request(grant, _NOT_AT_HAND, changes), **changes})
    return servers


def scopes(written: list[str] | str | None) -> tuple[str, ...] | None:
    """A list, or one text with spaces or commas; None where nothing was said."""
    if isinstance(written, str):
        return tuple(written.replace(",", " ").split())
    return tuple(written) if written is not None else None
