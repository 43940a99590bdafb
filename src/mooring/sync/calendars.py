"""The calendars of one held grant: found once, then looked over every few minutes until the lease is lost."""

import asyncio
import random
from collections.abc import Iterable, Mapping

import structlog

from mooring.calendars import Calendar, CalendarWriter, calendars_of
from mooring.egress import Traffic
from mooring.errors import (
    AuthenticationFailed,
    LostOwnership,
    MooringError,
    NotFound,
    ProviderFailure,
    RemoteProtocolError,
    ServerRefused,
)
from mooring.grants import CalendarServer, Grant, Keys, Sessions, calendar_attempt, way_of
from mooring.jobs import Lease
from mooring.protocols.caldav import CalDavClient, CalendarHome
from mooring.store import Database
from mooring.sync.failures import as_stored

log = structlog.get_logger()

PASS_S = 300.0
"""Seconds between looks at the calendars: CalDAV has nothing to wait on."""
BATCH = 100
"""Objects that are fetched and written together."""
FIRST_RETRY_S = 2.0
LAST_RETRY_S = 300.0
"""Seconds before a failed pass is tried again: doubled from the first to the last, with jitter."""
REFUSED_RETRY_S = 300.0
"""Seconds after a refused login: trying a wrong password quickly gets an address banned."""
MAX_PARTS = 1_000
"""Parts in which one list of changes may come (RFC 6578 §3.6)."""

_OF_ONE_CALENDAR = frozenset({"refused", "protocol"})
"""Reasons of a failure that says nothing about the other calendars of the server."""


class CalendarSync:
    """Synchronises one grant's calendars for as long as the lease of its mailbox holds."""

    def __init__(
        self, db: Database, keys: Keys, sessions: Sessions, *, grant: Grant, server: CalendarServer, lease: Lease
    ) -> None:
        self._db = db
        self._keys = keys
        self._sessions = sessions
        self._grant = grant
        self._server = server
        self._lease = lease
        self._home: CalendarHome | None = None

    async def run(self) -> None:
        """Return when the lease is lost, or the grant gone."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                await self.synchronise()
            except (LostOwnership, NotFound):
                return
            except MooringError as e:
                if not await self._report(e):
                    return
                wait_s = REFUSED_RETRY_S if _is_refused_login(e) else retry_s
                retry_s = min(retry_s * 2, LAST_RETRY_S)
            else:
                wait_s, retry_s = PASS_S, FIRST_RETRY_S
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads passes, guards nothing

    async def synchronise(self) -> None:
        """Bring every calendar in step, once.

        Raises:
            ProviderFailure, EgressError, TargetNotAllowed: the server cannot be used.
            LostOwnership, NotFound: there is nothing left to do here.
        """
        credentials = await self._keys.credentials(self._grant)
        password = credentials.caldav_password
        writer = CalendarWriter(self._db, self._grant, self._lease, await self._keys.data_key(self._grant))
        attempt = calendar_attempt(way_of(self._grant, Traffic.SYNC), self._server, password)
        async with self._sessions.http(attempt) as http:
            with attempt.reported():
                client = CalDavClient(http, self._server.url, self._server.username, password)
                listed = calendars_of(self._grant.id, await client.calendars(await self._found_home(client)))
            told = {calendar.id: calendar for calendar in listed}
            for calendar in await writer.set_calendars(listed):
                now = told.get(calendar.id)
                if now is None:
                    continue
                try:
                    with attempt.reported():
                        await CalendarPass(client, writer, calendar, now).run()
                except ProviderFailure as e:
                    log.info("sync.calendar_failed", grant=self._grant.id, calendar=calendar.id, **as_stored(e))
                    await writer.fail(calendar, as_stored(e))
                    if e.reason not in _OF_ONE_CALENDAR:
                        raise

    async def _found_home(self, client: CalDavClient) -> CalendarHome:
        if self._home is None:
            self._home = await client.discover()
        return self._home

    async def _report(self, error: MooringError) -> bool:
        """Write why the pass ended; False when that is no longer ours to say."""
        self._home = None
        log.info("sync.calendars_failed", grant=self._grant.id, **as_stored(error))
        try:
            key = await self._keys.data_key(self._grant)
            await CalendarWriter(self._db, self._grant, self._lease, key).fail(None, as_stored(error))
        except (LostOwnership, NotFound):
            return False
        except MooringError as e:
            log.warning("sync.health_not_written", grant=self._grant.id, error=str(e))
        return True


class CalendarPass:
    """Brings one calendar in step, by the cheapest means that the server offers.

    Args:
        calendar: as it is stored.
        told: as the server describes it now.
    """

    def __init__(self, client: CalDavClient, writer: CalendarWriter, calendar: Calendar, told: Calendar) -> None:
        self._client = client
        self._writer = writer
        self._calendar = calendar
        self._told = told

    async def run(self) -> None:
        """Follow the calendar to the state that it was told to be in, or a newer one."""
        calendar, told = self._calendar, self._told
        if _is_unchanged(calendar, told):
            await self._writer.mark(calendar, ctag=told.ctag, sync_token=calendar.sync_token)
            return
        stored = await self._writer.etags(calendar)
        changed, removed, token = await self._changes(stored)
        wanted = [url for url, etag in changed.items() if not etag or stored.get(url) != etag]
        refused = await self._fetch(wanted)
        if gone := [url for url in removed if url in stored]:
            await self._writer.remove(calendar, gone)
        if refused:
            # The old marks stay, so that the next pass asks for what was refused again.
            url, said = next(iter(refused.items()))
            message = f"{len(refused)} objects could not be read; the first is {url}: {said}."
            error = {"message": message, "stage": "calendar", "reason": "refused", "server_said": said}
            await self._writer.mark(calendar, ctag=calendar.ctag, sync_token=calendar.sync_token, error=error)
        else:
            await self._writer.mark(calendar, ctag=told.ctag, sync_token=token)

    async def _changes(self, stored: Mapping[str, str]) -> tuple[Mapping[str, str], Iterable[str], str]:
        """What may have changed (etag by URL), what is gone, and the token of the state that this leads to."""
        calendar = self._calendar
        since = calendar.sync_token if calendar.fetched_at is not None else ""
        for token in dict.fromkeys((since, "")) if self._told.sync_token else ():
            try:
                changed, removed, reached = await self._listed_changes(token)
            except AuthenticationFailed:
                raise
            except ServerRefused as e:
                # It forgot this token, or hands out tokens that it takes no report for.
                log.info("sync.token_refused", grant=calendar.grant_id, calendar=calendar.id, code=e.code)
            else:
                return changed, removed if token else stored.keys() - changed.keys(), reached
        listed = await self._client.etags(calendar.url)
        return listed, stored.keys() - listed.keys(), self._told.sync_token

    async def _listed_changes(self, token: str) -> tuple[dict[str, str], set[str], str]:
        """Every part of the list of changes since the token, put together."""
        changed: dict[str, str] = {}
        removed: set[str] = set()
        for _ in range(MAX_PARTS):
            part = await self._client.sync(self._calendar.url, token)
            for url in part.removed:
                changed.pop(url, None)
                removed.add(url)
            changed |= part.changed
            removed -= part.changed.keys()
            if part.is_complete:
                return changed, removed, part.token
            if part.token == token:
                raise RemoteProtocolError("the server says that there are more changes, and gives no way to them")
            token = part.token
        raise RemoteProtocolError(f"the server gave a list of changes in more than {MAX_PARTS} parts")

    async def _fetch(self, urls: list[str]) -> dict[str, str]:
        """Fetch and store these objects; returns what the server refused of them."""
        refused: dict[str, str] = {}
        for batch in (urls[start : start + BATCH] for start in range(0, len(urls), BATCH)):
            found = await self._client.multiget(self._calendar.url, batch)
            if found.objects:
                await self._writer.put(self._calendar, found.objects)
            if found.missing:
                await self._writer.remove(self._calendar, found.missing)
            refused |= found.refused
        return refused


def _is_unchanged(calendar: Calendar, told: Calendar) -> bool:
    """Whether the server's marks say that nothing happened since the calendar was last brought in step."""
    if calendar.fetched_at is None:
        return False
    if calendar.ctag and told.ctag:
        return calendar.ctag == told.ctag
    return bool(told.sync_token) and calendar.sync_token == told.sync_token


def _is_refused_login(error: MooringError) -> bool:
    return isinstance(error, ProviderFailure) and error.reason == "authentication"
