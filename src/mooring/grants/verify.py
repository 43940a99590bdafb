"""Trying the servers of an account before anything is stored: S14, S15."""

import asyncio
from urllib.parse import urlsplit

import msgspec

from mooring.grants.attempt import Attempt
from mooring.grants.sessions import Sessions, attempt_at
from mooring.grants.types import CalendarServer, Credentials, Server, Settings
from mooring.grants.ways import Way
from mooring.protocols.caldav import CalDavClient

TOTAL_S = 27.0
"""Seconds for all servers of an account together: the answer is due within 30 (spec §6.8)."""


async def verify(
    sessions: Sessions, way: Way, settings: Settings, credentials: Credentials, *, total_s: float = TOTAL_S
) -> Settings:
    """The settings with what was found out about the servers, each of which accepted a login just now.

    Args:
        total_s: seconds for all of them together.

    Raises:
        ProviderFailure: with the stage at which the first of them failed.
        EgressError, TargetNotAllowed.
    """
    under_way = attempt_at(way, settings.imap, credentials.imap_password)
    try:
        async with asyncio.timeout(total_s):
            imap, smtp = await _imap(sessions, under_way, settings.imap, credentials.imap_password), settings.smtp
            if smtp is not None:
                under_way = attempt_at(way, smtp, credentials.smtp_password)
                smtp = await _smtp(sessions, under_way, smtp, credentials.smtp_password)
            if settings.caldav is not None:
                under_way = calendar_attempt(way, settings.caldav, credentials.caldav_password)
                await _caldav(sessions, under_way, settings.caldav, credentials.caldav_password)
    except TimeoutError as e:
        raise under_way.timed_out(total_s) from e
    return msgspec.structs.replace(settings, imap=imap, smtp=smtp)


def calendar_attempt(way: Way, server: CalendarServer, password: str) -> Attempt:
    """The attempt that failures with a CalDAV server are told with."""
    url = urlsplit(server.url)
    return Attempt(way, url.hostname or "", url.port or 443, secrets=(password,), stage="calendar")


async def _imap(sessions: Sessions, attempt: Attempt, server: Server, password: str) -> Server:
    client, tls = await sessions.open_imap(attempt, server, password)
    try:
        with attempt.reported():
            attempt.stage = "list"
            await client.list()
            await client.logout()
    finally:
        await client.aclose()
    return msgspec.structs.replace(server, tls=tls)


async def _smtp(sessions: Sessions, attempt: Attempt, server: Server, password: str) -> Server:
    client, tls = await sessions.open_smtp(attempt, server, password)
    await client.quit()
    return msgspec.structs.replace(server, tls=tls)


async def _caldav(sessions: Sessions, attempt: Attempt, server: CalendarServer, password: str) -> None:
    async with sessions.http(attempt) as http:
        with attempt.reported():
            client = CalDavClient(http, server.url, server.username, password)
            await client.calendars(await client.discover())
