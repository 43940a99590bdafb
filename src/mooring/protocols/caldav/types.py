"""The nouns of CalDAV: homes, calendars, objects and changes. Every URL is absolute and spelt in one way."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CalendarHome:
    """Where a user's calendars are.

    Attributes:
        home_urls: the collections that hold the calendars; at least one.
        principal_url: the user, as the server knows them; "" when the server names none.
        addresses: calendar user addresses, mostly ``mailto:`` (RFC 6638 §2.4.1).
        display_name: "" when the server gives none.
    """

    home_urls: tuple[str, ...]
    principal_url: str = ""
    addresses: tuple[str, ...] = ()
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class CalendarInfo:
    """One calendar collection; "" stands for whatever the server does not say.

    Attributes:
        color: ``#rrggbb``.
        timezone: a time-zone identifier (RFC 7809 §5.2, or the TZID of ``calendar-timezone``).
        ctag: changes with the content.
        sync_token: for ``sync``; "" when the server has no sync-collection.
        is_read_only: the server says that this user may not write here.
        components: ``VEVENT``, ``VTODO``, …; empty means that the server does not restrict them.
        is_primary: where invitations go (RFC 6638 §9.2).
    """

    url: str
    name: str
    description: str
    color: str
    timezone: str
    ctag: str
    sync_token: str
    is_read_only: bool
    components: tuple[str, ...]
    is_primary: bool


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """One iCalendar object as stored: an event with all its overrides.

    Attributes:
        etag: as the server wrote it, quotes included; "" when it gives none.
        data: iCalendar text in UTF-8.
    """

    url: str
    etag: str
    data: bytes


@dataclass(frozen=True, slots=True)
class FetchedObjects:
    """The answer to a request for named objects; each URL asked for is in one of the three.

    Attributes:
        objects: those that came.
        missing: those that no longer exist.
        refused: those that the server would not give just now, with the status line of each.
    """

    objects: tuple[CalendarObject, ...]
    missing: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SyncChanges:
    """What changed since a token.

    Attributes:
        token: for the next time.
        changed: the URL and etag of each object that is new or different.
        removed: the URLs that are gone.
        is_complete: False when the server has more to tell; ask again with ``token``.
    """

    token: str
    changed: Mapping[str, str]
    removed: tuple[str, ...]
    is_complete: bool
