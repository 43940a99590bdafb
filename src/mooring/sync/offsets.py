"""Reading by offset, as v2 pages: messages, threads, files, and how many there are; stored, or live (spec §6.9).

A page that is not full is the end for whoever pages by offset. So one that is not, of a mailbox that is still being
copied for the first time, waits a while for the copy to be whole.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from mooring.errors import NotFound
from mooring.grants import Grant, Keys
from mooring.mail import (
    Attachment,
    File,
    FileFilter,
    MailReader,
    Message,
    MessageFilter,
    Special,
    SpecialUse,
    Thread,
    ThreadFilter,
    by_thread,
    fits,
    summary_of,
    thread_of,
)
from mooring.sync.reading import LOOK_AGAIN_S, PATIENCE_S, Mailbox, matches

T = TypeVar("T")

_EVERYTHING = MessageFilter()


class Offsets:
    """Messages, threads and files of any grant, a slice at a time.

    Args:
        patience_s: how long a slice that is not full waits for messages that are still being copied.
    """

    def __init__(self, mailbox: Mailbox, reader: MailReader, keys: Keys, *, patience_s: float = PATIENCE_S) -> None:
        self._mailbox = mailbox
        self._reader = reader
        self._keys = keys
        self._patience_s = patience_s

    async def messages(self, grant: Grant, wanted: MessageFilter, *, limit: int, offset: int) -> list[Message]:
        """Some messages, newest first.

        Raises:
            ProviderFailure, EgressError, Forbidden: nothing is stored, and the server could not be asked.
            InvalidRequest: no such folder.
        """

        async def stored() -> list[Message]:
            key = await self._keys.data_key(grant)
            return await self._reader.slice(grant, key, wanted, limit=limit, offset=offset)

        async def live() -> list[Message]:
            return (await self._mailbox.look(grant, wanted))[0][offset : offset + limit]

        return await self._patiently(grant, wanted.folder_id, limit, stored, live)

    async def count_messages(self, grant: Grant, wanted: MessageFilter) -> int:
        """How many messages a reader finds by now. Raises: as ``messages``."""
        if await self._mailbox.is_whole(grant, wanted.folder_id) is not None:
            return await self._reader.count(grant, wanted)
        return len((await self._mailbox.look(grant, wanted))[0])

    async def threads(self, grant: Grant, wanted: ThreadFilter, *, limit: int, offset: int) -> list[Thread]:
        """Some threads, the one with the newest message first. Raises: as ``messages``."""

        async def stored() -> list[Thread]:
            return await self._stored(grant, await self._reader.thread_ids(grant, wanted, limit=limit, offset=offset))

        async def live() -> list[Thread]:
            return (await self._live_threads(grant, wanted))[offset : offset + limit]

        return await self._patiently(grant, wanted.messages.folder_id, limit, stored, live)

    async def thread(self, grant: Grant, thread_id: str) -> Thread:
        """Raises: NotFound; otherwise as ``messages``."""
        if await self._mailbox.is_whole(grant, None) is not None:
            found = await self._stored(grant, [thread_id])
        else:
            found = await self._live_threads(grant, ThreadFilter(MessageFilter(thread_id=thread_id)))
        if not found:
            raise NotFound(f"This account has no thread {thread_id[:100]!r}.")
        return found[0]

    async def count_threads(self, grant: Grant, wanted: ThreadFilter) -> int:
        """How many threads a reader finds by now. Raises: as ``messages``."""
        if await self._mailbox.is_whole(grant, wanted.messages.folder_id) is not None:
            return await self._reader.count(grant, wanted)
        return len(await self._live_threads(grant, wanted))

    async def files(self, grant: Grant, wanted: FileFilter, *, limit: int, offset: int) -> list[File]:
        """Some attachments, those of the newest messages first. Raises: as ``messages``."""

        async def stored() -> list[File]:
            return await self._reader.files(grant, wanted, limit=limit, offset=offset)

        async def live() -> list[File]:
            return (await self._live_files(grant, wanted))[offset : offset + limit]

        return await self._patiently(grant, None, limit, stored, live)

    async def count_files(self, grant: Grant, wanted: FileFilter) -> int:
        """How many attachments a reader finds by now. Raises: as ``messages``."""
        if await self._mailbox.is_whole(grant, None) is not None:
            return await self._reader.count(grant, wanted)
        return len(await self._live_files(grant, wanted))

    async def _patiently(
        self,
        grant: Grant,
        folder: str | None,
        limit: int,
        stored: Callable[[], Awaitable[list[T]]],
        live: Callable[[], Awaitable[list[T]]],
    ) -> list[T]:
        """A slice that is full, or of a mailbox that is whole, or what there is after a while."""
        until = asyncio.get_running_loop().time() + self._patience_s
        while True:
            is_whole = await self._mailbox.is_whole(grant, folder)
            found = await (live() if is_whole is None else stored())
            grows = is_whole is False and grant.stopped_at is None
            if len(found) == limit or not grows or asyncio.get_running_loop().time() >= until:
                return found
            if grant.sync_error is not None and not found:
                await self._mailbox.look(grant, _EVERYTHING)  # so that a copy that does not grow says why
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _stored(self, grant: Grant, thread_ids: list[str]) -> list[Thread]:
        """These threads, in this order; those that are not there are left out."""
        found = by_thread(await self._reader.thread_messages(grant, thread_ids))
        key = await self._keys.data_key(grant)
        newest = await self._reader.some(grant, key, [messages[-1].id for messages in found.values()])
        snippets = {message.id: message.snippet for message in newest.values()}
        special = await self._special(grant)
        return [thread_of(grant.id, found[i], special, snippets) for i in thread_ids if i in found]

    async def _live_threads(self, grant: Grant, wanted: ThreadFilter) -> list[Thread]:
        """The threads among what the server shows just now; of their older messages nothing is known yet."""
        shown, _ = await self._mailbox.look(grant, MessageFilter(folder_id=wanted.messages.folder_id))
        named = {message.thread_id for message in shown if matches(message, wanted.messages)}
        snippets = {message.id: message.snippet for message in shown}
        grouped = by_thread(summary_of(message) for message in shown if message.thread_id in named)
        threads = [thread_of(grant.id, messages, Special(), snippets) for messages in grouped.values()]
        threads.sort(key=lambda thread: (thread.last_at, thread.id), reverse=True)
        return [thread for thread in threads if fits(thread, wanted)]

    async def _live_files(self, grant: Grant, wanted: FileFilter) -> list[File]:
        found, _ = await self._mailbox.look(grant, _EVERYTHING)
        files = (
            File(message.id, attachment)
            for message in found
            for attachment in msgspec.json.decode(message.attachments, type=list[Attachment])
        )
        return [file for file in files if wanted.takes(file)]

    async def _special(self, grant: Grant) -> Special:
        folders = await self._reader.plain_folders(grant)

        def used_for(use: SpecialUse) -> frozenset[str]:
            return frozenset(f.id for f in folders if use in f.attributes)

        return Special(sent=used_for(SpecialUse.SENT), drafts=used_for(SpecialUse.DRAFTS))
