"""One held mailbox: connect, pass over all folders, then wait for news; again and again until the lease is lost.

Where a server admits fewer connections than there are mailboxes, each gives its session up to others, and comes again.
"""

import asyncio
import math
import random
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from typing import Any

import structlog

from mooring.clock import Clock
from mooring.egress import Berth, Traffic
from mooring.errors import LostOwnership, MooringError, NotFound, RemoteProtocolError, ServerRefused
from mooring.grants import Attempt, Grant, Keys, Sessions, look, set_seen, way_of
from mooring.jobs import Lease, fenced
from mooring.mail import Folder, MailWriter, SpecialUse, find_special, folders_of
from mooring.protocols.imap import ImapClient, MailboxStatus
from mooring.store import Database, ObjectStore
from mooring.sync.budget import Means
from mooring.sync.failures import as_stored
from mooring.sync.folder import NOTHING_DUE, FolderSync
from mooring.sync.folders import in_order
from mooring.sync.health import Health, is_refused_login
from mooring.sync.intake import Cuts
from mooring.sync.openings import Opened, Openings
from mooring.sync.rest import Rest

log = structlog.get_logger()

POLL_S = 30.0
"""Seconds between looks at the folders that IDLE does not watch. An IDLE lasts no longer, which is shorter than any
NAT's memory. A session that was given up to others is asked for again when the next look is due, and not before: so a
mailbox is visited within a minute, if the wait for a berth leaves it half, and no login is for nothing."""
BLIND_POLL_S = 10.0
"""Seconds between looks at the inbox of a server without IDLE."""
BUSY_S = 0.5
"""Seconds from one look at the inbox to the next: the first message after a while is news at once, and each look
at an inbox into which they pour takes many."""
COMPARE_S = 600.0
"""Seconds after which a folder is compared as a whole on a server whose counters do not show changed flags."""
FIRST_RETRY_S = 2.0
LAST_RETRY_S = 300.0
"""Seconds before a failed session is tried again: doubled from the first to the last, with jitter."""
REFUSED_RETRY_S = 300.0
"""Seconds after a refused login: trying a wrong password quickly gets an address banned."""
STEADY_S = 60.0
"""Seconds after which a session counts as having worked, so that its end is tried again quickly."""


class MailboxSync:
    """Synchronises one grant's mailbox for as long as the lease holds."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        keys: Keys,
        sessions: Sessions,
        clock: Clock,
        *,
        grant: Grant,
        lease: Lease,
        window: timedelta,
        means: Means,
        openings: Openings,
    ) -> None:
        self._db = db
        self._objects = objects
        self._keys = keys
        self._sessions = sessions
        self._clock = clock
        self._grant = grant
        self._lease = lease
        self._window = window
        self._means = means
        self._openings = openings
        self._health = Health(db, clock, grant, lease)
        self._cuts = Cuts()
        self._rest = Rest()
        self._berth = Berth()
        self._opened_at = math.inf
        self._looked_at = -math.inf
        self._counters: dict[str, tuple[MailboxStatus, float]] = {}
        self._sought: set[str] = set()
        self._was_in_step = False
        self._is_nudged = False

    async def run(self) -> None:
        """Return when the lease is lost, or the grant gone."""
        retry_s = FIRST_RETRY_S
        loop = asyncio.get_running_loop()
        while True:
            self._opened_at = math.inf
            try:
                await self._session()
                retry_s = FIRST_RETRY_S
                await self._undisturbed(asyncio.sleep(self._looked_at + POLL_S - loop.time()))
            except (LostOwnership, NotFound):
                return
            except MooringError as e:
                log.info("sync.session_ended", grant=self._grant.id, **as_stored(e))
                if loop.time() - self._opened_at > STEADY_S:
                    retry_s = FIRST_RETRY_S
                is_refused = is_refused_login(e)
                # Every session ends some day. Whether that is a failure, the next one shows.
                is_told = is_refused or not self._was_in_step
                if is_told and not await self._health.failed(e):
                    return
                wait_s = REFUSED_RETRY_S if is_refused else retry_s
                retry_s = min(retry_s * 2, LAST_RETRY_S)
                await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads retries, guards nothing

    async def _session(self) -> None:
        """One connection's life: until an exception ends it, or somebody else waits for its place."""
        self._was_in_step = False
        key = await self._keys.data_key(self._grant)
        writer = MailWriter(self._db, self._objects, self._clock, self._grant, self._lease, key)
        opened = await self._openings.take(self._grant.id, self._grant.updated_at) or await self._open()
        client, attempt = opened.client, opened.attempt
        self._berth, self._opened_at = attempt.berth, asyncio.get_running_loop().time()
        try:
            with attempt.reported():
                if {"QRESYNC", "ENABLE"} <= await client.capabilities():
                    await client.enable("QRESYNC")
                await writer.remove_strays()
                await self._pass(client, attempt, writer)
                await self._remember(client, writer)
                while await self._watch(client, attempt, writer):
                    await self._pass(client, attempt, writer)
            await client.logout()
        finally:
            self._berth = Berth()
            await client.aclose()

    async def _open(self) -> Opened:
        """A session of our own; after a move there is one already, that was opened to prove it."""
        credentials = await self._keys.credentials(self._grant)
        way = way_of(self._grant, Traffic.SYNC)
        client, attempt, _ = await self._sessions.imap(way, self._grant.settings.imap, credentials.imap_password)
        return Opened(client, attempt)

    async def _remember(self, client: ImapClient, writer: MailWriter) -> None:
        """Keep how the server looks, for a move to hold the other side against."""
        inbox = find_special(await writer.folders(), SpecialUse.INBOX)
        server = await look(client, inbox.uid_validity if inbox else None)
        async with fenced(self._db, self._lease) as tx:
            await set_seen(tx, self._grant.id, server)

    async def _pass(self, client: ImapClient, attempt: Attempt, writer: MailWriter) -> None:
        """Bring every folder in step; those whose counters did not move need no look.

        What lay in no folder before the server was asked anything, and is found in none of them, is gone. What
        left its folder only now may have gone to one that was looked at before: the next pass finds it there.
        """
        self._is_nudged = False
        self._looked_at = asyncio.get_running_loop().time()
        self._sought = await writer.homeless()
        due = await writer.due()
        attempt.stage = "list"
        listed = await client.list(with_status=True)
        if not listed:
            raise RemoteProtocolError("the server lists no folder at all, not even the inbox")
        folders = in_order(await writer.set_folders(folders_of(self._grant.id, listed)))
        told = {mailbox.wire: mailbox.status for mailbox in listed}
        attempt.stage = "fetch"
        is_whole = True
        for folder in folders:
            if folder.selectable:
                status = told.get(folder.wire_name)
                is_read = await self._look_at(client, writer, folder, status, due.get(folder.id, {}))
                is_whole &= is_read or _is_closed(folder)
        if is_whole:
            await writer.sweep(self._sought)
        await self._health.in_step()
        self._was_in_step = True

    async def _look_at(
        self,
        client: ImapClient,
        writer: MailWriter,
        folder: Folder,
        status: MailboxStatus | None,
        due: Mapping[int, bool],
    ) -> bool:
        """Bring one folder in step, if its counters moved or something of it is due; False when it is refused."""
        try:
            status = status or await client.status(folder.wire_name)
        except ServerRefused as e:
            await self._refused(writer, folder, e)
            return False
        is_ours = folder.origin == writer.origin
        if is_ours and not due and self._is_in_step(folder, status, qresync="QRESYNC" in client.enabled):
            return True
        if await self._sync_folder(client, writer, folder, due) is None:
            return False
        if status.highest_modseq is None or "QRESYNC" not in client.enabled:
            self._counters[folder.id] = (status, asyncio.get_running_loop().time())
        return True

    async def _watch(self, client: ImapClient, attempt: Attempt, writer: MailWriter) -> bool:
        """Wait until it is time for a pass; False when another mailbox is to have the place of this session."""
        self._berth.offer(self._rest.stir)
        try:
            if not self._berth.is_recalled:
                await self._wait(client, attempt, writer)
        finally:
            self._berth.keep()
        return not self._berth.is_recalled

    async def _wait(self, client: ImapClient, attempt: Attempt, writer: MailWriter) -> None:
        """Follow the inbox as it changes, until it is time to look at the other folders.

        That is at once when a message has left its folder: it may have gone to another.
        """
        attempt.stage = "fetch"
        loop = asyncio.get_running_loop()
        until = loop.time() + POLL_S
        idles = "IDLE" in await client.capabilities()
        inbox = find_special(await writer.folders(), SpecialUse.INBOX)
        while (left := until - loop.time()) > 0:
            looked_at = loop.time()
            if inbox is not None:
                inbox = await self._sync_folder(client, writer, inbox) or inbox
            if not await writer.homeless() <= self._sought:
                return
            watches = inbox is not None and idles
            if not await self._undisturbed(
                client.idle(timeout_s=left) if watches else asyncio.sleep(min(left, BLIND_POLL_S))
            ):
                return
            if not await self._undisturbed(asyncio.sleep(looked_at + BUSY_S - loop.time())):
                return

    def look(self) -> None:
        """Look at all folders now rather than at the end of the wait: somebody has changed one of them."""
        self._is_nudged = True
        self._rest.stir()

    async def _undisturbed(self, news: Coroutine[Any, Any, object]) -> bool:
        """Wait for news; False when there is something to do, or was since the last pass began."""
        if self._is_nudged or self._berth.is_recalled:
            news.close()
            return False
        return await self._rest.undisturbed(news)

    async def _sync_folder(
        self, client: ImapClient, writer: MailWriter, folder: Folder, due: Mapping[int, bool] = NOTHING_DUE
    ) -> Folder | None:
        """One folder, as it is known now; None when the server refuses this one, which keeps us from no other."""
        since = (self._clock.now() - self._window).date()
        client.take_events()  # they speak of the mailbox that was selected until now, which is compared anyway
        try:
            landmark = (self._grant.landmarks or {}).get(folder.wire_name.hex())
            return await FolderSync(client, writer, folder, self._means, self._cuts, landmark).run(since, due)
        except ServerRefused as e:
            await self._refused(writer, folder, e)
            return None

    async def _refused(self, writer: MailWriter, folder: Folder, error: ServerRefused) -> None:
        log.info("sync.folder_refused", grant=self._grant.id, folder=folder.id, error=error.message)
        await writer.fail(folder, {"stage": "fetch", "reason": "refused", "server_said": error.reply[:256]})

    def _is_in_step(self, folder: Folder, status: MailboxStatus, *, qresync: bool) -> bool:
        """Whether the folder's counters say that nothing happened since it was last brought in step.

        HIGHESTMODSEQ alone says so only with QRESYNC: without it, it need not move when messages go.
        """
        counters = (folder.uid_validity, folder.uid_next)
        if folder.complete_at is None or folder.error or counters != (status.uid_validity, status.uid_next):
            return False
        has_modseq = status.highest_modseq is not None and folder.highest_modseq is not None
        if has_modseq and (qresync or status.highest_modseq != folder.highest_modseq):
            return status.highest_modseq == folder.highest_modseq
        before, at = self._counters.get(folder.id, (None, 0.0))
        return before == status and (has_modseq or asyncio.get_running_loop().time() - at < COMPARE_S)


def _is_closed(folder: Folder) -> bool:
    """Whether the server lists this folder, and has refused it ever since: what goes there is gone for us.

    Shared folders are often so, for years; waiting for them would keep everything that is deleted for ever.
    """
    return folder.fetched_at is None and folder.error is not None
