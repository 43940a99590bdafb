"""Trying the servers of an account before anything is stored: S14, S15."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from mooring.errors import ServerRefused
from mooring.grants.attempt import Attempt
from mooring.grants.sessions import Sessions, attempt_at
from mooring.grants.types import CalendarServer, Credentials, Server, Settings
from mooring.grants.ways import Way
from mooring.protocols.caldav import CalDavClient
from mooring.protocols.imap import ImapClient, ListedMailbox

MOST_ASKED = 50
"""Folders that are asked one by one where they end: each costs a round trip, and an answer is waited for."""
TOTAL_S = 27.0
"""Seconds for all servers of an account together: the answer is due within 30 (spec §6.8)."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What an authentication found.

    Attributes:
        settings: with what was found out about the servers.
        landmarks: where each folder ends, as ``Grant.landmarks``; None when nobody asked.
    """

    settings: Settings
    landmarks: dict[str, tuple[int, int]] | None


async def verify(
    sessions: Sessions,
    way: Way,
    settings: Settings,
    credentials: Credentials,
    *,
    landmarks: bool = False,
    total_s: float = TOTAL_S,
) -> Verified:
    """Try every server; each accepted a login just now when this returns.

    Args:
        landmarks: whether to ask where each folder ends.
        total_s: seconds for all of them together.

    Raises:
        ProviderFailure: with the stage at which the first of them failed.
        EgressError, TargetNotAllowed.
    """
    under_way = attempt_at(way, settings.imap, credentials.imap_password)
    try:
        async with asyncio.timeout(total_s):
            imap, ends = await _imap(sessions, under_way, settings.imap, credentials.imap_password, landmarks)
            smtp = settings.smtp
            if smtp is not None:
                under_way = attempt_at(way, smtp, credentials.smtp_password)
                smtp = await verify_smtp(sessions, under_way, smtp, credentials.smtp_password)
            if settings.caldav is not None:
                under_way = calendar_attempt(way, settings.caldav, credentials.caldav_password)
                await verify_caldav(sessions, under_way, settings.caldav, credentials.caldav_password)
    except TimeoutError as e:
        raise under_way.timed_out(total_s) from e
    return Verified(msgspec.structs.replace(settings, imap=imap, smtp=smtp), ends)


def calendar_attempt(way: Way, server: CalendarServer, password: str) -> Attempt:
    """The attempt that failures with a CalDAV server are told with."""
    url = urlsplit(server.url)
    return Attempt(way, url.hostname or "", url.port or 443, secrets=(password,), stage="calendar")


async def _imap(
    sessions: Sessions, attempt: Attempt, server: Server, password: str, landmarks: bool
) -> tuple[Server, dict[str, tuple[int, int]] | None]:
    client, tls = await sessions.open_imap(attempt, server, password)
    try:
        with attempt.reported():
            attempt.stage = "list"
            listed = await client.list(with_status=landmarks)
            ends = await _ends(client, listed) if landmarks else None
            await client.logout()
    finally:
        await client.aclose()
    return msgspec.structs.replace(server, tls=tls), ends


async def _ends(client: ImapClient, listed: Sequence[ListedMailbox]) -> dict[str, tuple[int, int]]:
    """Where each of these folders ends; what a server does not tell along is asked for, of the first folders."""
    ends: dict[str, tuple[int, int]] = {}
    asked = 0
    for mailbox in listed:
        status = mailbox.status
        if status is None and mailbox.is_selectable and asked < MOST_ASKED:
            asked += 1
            with suppress(ServerRefused):
                status = await client.status(mailbox.wire)
        if status is not None and status.uid_validity and status.uid_next:
            ends[mailbox.wire.hex()] = (status.uid_validity, status.uid_next)
    return ends


async def verify_smtp(sessions: Sessions, attempt: Attempt, server: Server, password: str) -> Server:
    """The server with how TLS begins there; it accepted a login just now. Raises: as ``verify``."""
    client, tls = await sessions.open_smtp(attempt, server, password)
    await client.quit()
    return msgspec.structs.replace(server, tls=tls)


async def verify_caldav(sessions: Sessions, attempt: Attempt, server: CalendarServer, password: str) -> None:
    """The server has listed the calendars just now. Raises: as ``verify``."""
    async with sessions.http(attempt) as http:
        with attempt.reported():
            client = CalDavClient(http, server.url, server.username, password)
            await client.calendars(await client.discover())
