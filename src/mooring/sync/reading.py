"""Reading mail for the doors: the stored copy, or live from the server as long as there is none (spec §6.9)."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from mooring.clock import Clock
from mooring.errors import InvalidRequest, NotFound
from mooring.grants import Grant, Keys
from mooring.large import beside
from mooring.mail import (
    Attachment,
    Folder,
    MailReader,
    Message,
    MessageFilter,
    Page,
    SpecialUse,
    after_cursor,
    find_special,
    folder_id,
    part_id,
    room_in,
    with_seen,
    write_cursor,
)
from mooring.protocols.mime import headers, part
from mooring.sync.live import INBOX, LiveMessage, LiveReader

FRESH_S = 1.0
"""Seconds for which it is remembered when a folder was last in step; it is asked for with every page."""
REMEMBERED = 20_000
PATIENCE_S = 10.0
"""Seconds that a page waits for its first message while the folder is being copied for the first time."""
LOOK_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class _Copy:
    """How far a folder has been copied, or the whole mailbox.

    Attributes:
        synced_at: when it was last in step.
        is_whole: whether everything of the window is there.
    """

    synced_at: datetime
    is_whole: bool


class Mailbox:
    """Folders, messages and attachments of any grant, for whoever asks.

    Args:
        patience_s: how long a page waits for messages that are still being copied.
    """

    def __init__(
        self, reader: MailReader, live: LiveReader, keys: Keys, clock: Clock, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._reader = reader
        self._live = live
        self._keys = keys
        self._clock = clock
        self._patience_s = patience_s
        self._copies: OrderedDict[tuple[str, str | None], tuple[float, _Copy]] = OrderedDict()

    async def folders(self, grant: Grant) -> tuple[list[Folder], datetime | None]:
        """The folders, and how fresh they are; None: as of now, from the server."""
        stored = await self._reader.folders(grant)
        if stored:
            return stored, grant.synced_at or max((f.fetched_at for f in stored if f.fetched_at), default=None)
        return await self._live.folders(grant), None

    async def folder(self, grant: Grant, folder: str) -> Folder:
        """Raises: NotFound."""
        found = next((f for f in (await self.folders(grant))[0] if f.id == folder), None)
        if found is None:
            raise NotFound(f"This grant has no folder {folder!r}.", hint="GET …/folders lists their ids.")
        return found

    async def messages(self, grant: Grant, wanted: MessageFilter, *, limit: int, cursor: str | None) -> Page:
        """A page of messages, newest first. Without a folder, whether there is a stored copy is the inbox's matter.

        As long as the first copy grows there is always a next page. The first pages show the newest messages known;
        those behind them wait a while for the copy to be whole, and are empty when it is not by then. So whoever
        follows the cursors gets every message, and each once.

        Raises:
            ProviderFailure, EgressError: nothing is stored, and the server could not be asked. Never an empty
                page for "could not look".
            InvalidRequest: no such folder, or a cursor that is none.
        """
        until = asyncio.get_running_loop().time() + self._patience_s
        while True:
            page = await self._page(grant, wanted, limit, cursor)
            if page.messages or page.next_cursor is None or asyncio.get_running_loop().time() >= until:
                return page
            if grant.sync_error is not None:
                await self._live.folders(grant)  # so that a copy that does not grow is told from one that does
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _page(self, grant: Grant, wanted: MessageFilter, limit: int, cursor: str | None) -> Page:
        copy = await self._copy(grant, wanted.folder_id)
        if copy is not None:
            key = await self._keys.data_key(grant)
            if not copy.is_whole:
                limit = min(limit, room_in(cursor))
            found, next_cursor = await self._reader.page(grant, key, wanted, limit=limit, cursor=cursor)
            return Page(found, next_cursor if copy.is_whole else with_seen(cursor, found), copy.synced_at)
        found, is_whole = await self.look(grant, wanted)
        found = after_cursor(found, cursor)
        if not is_whole:
            found = found[: min(limit, room_in(cursor))]
            return Page(found, with_seen(cursor, found), None)
        last = found[limit - 1] if len(found) > limit else None
        return Page(found[:limit], write_cursor(last.date, last.id) if last else None, None)

    async def is_whole(self, grant: Grant, folder: str | None) -> bool | None:
        """Whether all of the folder (None: of the mailbox) is stored; None where nothing is, and ``look`` is left.

        Raises:
            InvalidRequest: no such folder.
        """
        copy = await self._copy(grant, folder)
        return copy.is_whole if copy is not None else None

    async def look(self, grant: Grant, wanted: MessageFilter) -> tuple[list[Message], bool]:
        """The messages that the server shows just now, newest first, and whether it has no others.

        Raises:
            ProviderFailure, EgressError, Forbidden: it could not be asked.
            InvalidRequest: no such folder.
        """
        wire_name = INBOX
        if wanted.folder_id is not None:
            folder = await self._known_folder(grant, wanted.folder_id)
            if not folder.selectable:
                return [], True
            wire_name = folder.wire_name
        look = await self._live.messages(grant, wire_name)
        return [m.message for m in look.messages if matches(m.message, wanted)], look.is_whole

    async def message(self, grant: Grant, message: str) -> Message:
        """Raises: NotFound; ProviderFailure, EgressError where nothing is stored yet."""
        found = await self._reader.message(grant, await self._keys.data_key(grant), message)
        return found or (await self._live_message(grant, message)).message

    async def raw(self, grant: Grant, message: str) -> bytes:
        """The message's bytes as the server has them. Raises: as ``message``."""
        stored = await self._reader.raw(grant, await self._keys.data_key(grant), [message])
        return stored[message] if message in stored else (await self._live_message(grant, message)).raw

    async def headers(self, grant: Grant, message: str) -> list[tuple[str, str]]:
        """All headers, decoded, in order. Raises: as ``message``."""
        raw = await self.raw(grant, message)
        return await asyncio.to_thread(headers, raw)

    async def headers_of(self, grant: Grant, messages: Sequence[Message]) -> dict[str, list[tuple[str, str]]]:
        """The headers of each of these messages, by id."""
        found = await self._reader.raw(grant, await self._keys.data_key(grant), [m.id for m in messages])
        for message in messages:
            if message.id not in found:
                found[message.id] = await self.raw(grant, message.id)
        return await asyncio.to_thread(lambda: {identity: headers(raw) for identity, raw in found.items()})

    async def attachment(self, grant: Grant, message: str, attachment: str) -> tuple[Attachment, bytes]:
        """An attachment, and its bytes.

        Raises:
            NotFound: the message has no such attachment; otherwise as ``message``.
        """
        known = msgspec.json.decode((await self.message(grant, message)).attachments, type=list[Attachment])
        info = next((a for a in known if a.id == attachment), None)
        if info is None:
            raise NotFound(f"The message has no attachment {attachment!r}.")
        raw = await self.raw(grant, message)
        decoded = await beside(len(raw), part, raw, part_id(attachment))
        return info, decoded.data

    async def _known_folder(self, grant: Grant, folder: str) -> Folder:
        """The folder of a filter: an unknown id is a wrong request, not a missing resource (contract 4.1.1)."""
        try:
            return await self.folder(grant, folder)
        except NotFound as e:
            raise InvalidRequest(f"in={folder!r} is not the id of a folder of this grant.", hint=e.hint) from e

    async def _copy(self, grant: Grant, folder: str | None) -> _Copy | None:
        """The stored copy of the folder (None: of all, when there is one of the inbox); None when nothing is stored."""
        now = self._clock.monotonic()
        known = self._copies.get((grant.id, folder))
        if known is not None and now - known[0] < FRESH_S:
            return known[1]
        folders = await self._reader.plain_folders(grant)
        found = (
            find_special(folders, SpecialUse.INBOX)
            if folder is None
            else next((f for f in folders if f.id == folder), None)
        )
        if found is None and folder is not None and folders:
            await self._known_folder(grant, folder)
        if found is None or found.fetched_at is None:
            return None
        is_whole = not any(map(_is_growing, folders if folder is None else [found]))
        copy = _Copy(_as_of(grant, found, found.fetched_at), is_whole)
        self._copies[(grant.id, folder)] = (now, copy)
        if len(self._copies) > REMEMBERED:
            self._copies.popitem(last=False)
        return copy

    async def _live_message(self, grant: Grant, message: str) -> LiveMessage:
        """A message that is not stored: not there, unless nothing is stored of the folder that it lies in."""
        wire_name = self._live.folder_with(grant, message)
        folder = None if wire_name == INBOX else folder_id(grant.id, wire_name)
        if await self._copy(grant, folder) is None:
            for found in (await self._live.messages(grant, wire_name)).messages:
                if found.message.id == message:
                    return found
        raise NotFound(f"This grant has no message {message!r}.")


def _as_of(grant: Grant, folder: Folder, fetched_at: datetime) -> datetime:
    """When the stored copy of the folder was last known to be right.

    A pass over the mailbox does not open a folder whose counters say that nothing happened; it is as fresh as the
    pass, then.
    """
    synced_at = folder.synced_at or fetched_at
    is_followed = folder.complete_at is not None and folder.error is None
    return max(synced_at, grant.synced_at) if is_followed and grant.synced_at else synced_at


def _is_growing(folder: Folder) -> bool:
    """Whether the folder is still being copied for the first time; one that the server refuses is not."""
    return folder.selectable and folder.complete_at is None and folder.error is None


def matches(message: Message, wanted: MessageFilter) -> bool:
    """Whether a live message is one of those asked for; the same rules as the stored copy's query."""

    def has(addresses: tuple[str, ...], *lists: msgspec.Raw) -> bool:
        held = {p["email"].lower() for raw in lists for p in msgspec.json.decode(raw)}
        return not addresses or any(address.lower() in held for address in addresses)

    everybody = (message.from_, message.to, message.cc, message.bcc)
    return (
        (wanted.unread is None or message.unread == wanted.unread)
        and (wanted.starred is None or message.starred == wanted.starred)
        and (wanted.thread_id is None or message.thread_id == wanted.thread_id)
        and (wanted.received_before is None or message.date < wanted.received_before)
        and (wanted.received_after is None or message.date > wanted.received_after)
        and (wanted.subject is None or wanted.subject in message.subject)
        and (wanted.has_attachment is None or _has_attachments(message) == wanted.has_attachment)
        and (wanted.filename is None or wanted.filename in _filenames(message))
        and has(wanted.from_, message.from_)
        and has(wanted.to, message.to)
        and has(wanted.cc, message.cc)
        and has(wanted.bcc, message.bcc)
        and has(wanted.any_email, *everybody)
    )


def _has_attachments(message: Message) -> bool:
    return any(not a.is_inline for a in msgspec.json.decode(message.attachments, type=list[Attachment]))


def _filenames(message: Message) -> set[str]:
    return {a.filename for a in msgspec.json.decode(message.attachments, type=list[Attachment])}
