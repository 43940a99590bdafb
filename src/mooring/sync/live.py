"""Asking the mail server itself, for as long as nothing is stored of a folder (spec §6.9)."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from mooring.clock import Clock
from mooring.egress import Traffic
from mooring.grants import Attempt, Grant, Keys, Sessions, attempt_at, require_running, way_of
from mooring.mail import (
    Folder,
    Message,
    assign_threads,
    attachment_list,
    folder_id,
    folders_of,
    message_date,
    message_id,
    party_list,
    thread_headers,
)
from mooring.protocols.imap import FetchedMessage, ImapClient
from mooring.protocols.mime import ParsedMessage, parse
from mooring.sync.flights import Flights, question

NEWEST = 50
"""Messages that a live look brings: a page."""
TOTAL_S = 35.0
"""Seconds for one look: a failure is answered within 40 (spec §6.8)."""
LARGEST = 50 * 1024 * 1024
"""Bytes of a message; a larger one waits for the synchronisation."""
LARGEST_LOOK = 64 * 1024 * 1024
"""Bytes of all messages of a look; what is older waits, too."""
INBOX = b"INBOX"
PLACES = 20_000
"""Messages of which it is remembered in which folder a look has found them; some 200 bytes each."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """A message as the server gave it just now."""

    message: Message
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into a folder has brought.

    Attributes:
        messages: newest first.
        is_whole: whether the folder holds no others.
    """

    messages: list[LiveMessage]
    is_whole: bool


class LiveReader:
    """Reads from the server, by the way of the class ``live``; each folder by one session at a time."""

    def __init__(self, sessions: Sessions, keys: Keys, clock: Clock) -> None:
        self._sessions = sessions
        self._keys = keys
        self._clock = clock
        self._folders = Flights[list[Folder]](clock)
        self._messages = Flights[Look](clock)
        self._places: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def folders(self, grant: Grant) -> list[Folder]:
        """The folders that the server lists.

        Raises:
            Forbidden: the server is known to refuse the grant's credentials.
            ProviderFailure, EgressError, TargetNotAllowed.
        """
        require_running(grant)

        async def work(client: ImapClient, attempt: Attempt) -> list[Folder]:
            attempt.stage = "list"
            return folders_of(grant.id, await client.list())

        return await self._folders.ask(question(grant), lambda: self._look(grant, work))

    async def messages(self, grant: Grant, wire_name: bytes = INBOX) -> Look:
        """The newest messages of a folder. Raises: as ``folders``."""
        require_running(grant)

        async def work(client: ImapClient, attempt: Attempt) -> tuple[deque[FetchedMessage], bool]:
            attempt.stage = "fetch"
            await client.select(wire_name, read_only=True)
            everything = await client.search()
            held = await _held(client.fetch(everything.highest(NEWEST), max_literal=LARGEST))
            return held, len(everything) == sum(message.body is not None for message in held)

        async def look() -> Look:
            fetched, is_whole = await self._look(grant, work)
            now = int(self._clock.now().timestamp())
            found = await asyncio.to_thread(_messages, grant.id, folder_id(grant.id, wire_name), fetched, now)
            self._remember(grant, wire_name, found)
            return Look(found, is_whole)

        return await self._messages.ask((*question(grant), wire_name), look)

    def folder_with(self, grant: Grant, message: str) -> bytes:
        """The wire name of the folder in which a look has found this message; the inbox where none has."""
        return self._places.get((grant.id, message), INBOX)

    def _remember(self, grant: Grant, wire_name: bytes, found: Sequence[LiveMessage]) -> None:
        for live in found:
            self._places.pop((grant.id, live.message.id), None)
            self._places[(grant.id, live.message.id)] = wire_name
        while len(self._places) > PLACES:
            self._places.popitem(last=False)

    async def _look(self, grant: Grant, work: Callable[[ImapClient, Attempt], Awaitable[T]]) -> T:
        """What ``work`` finds in a session of its own."""
        server = grant.settings.imap
        password = (await self._keys.credentials(grant)).imap_password
        attempt = attempt_at(way_of(grant, Traffic.LIVE), server, password)
        try:
            async with asyncio.timeout(TOTAL_S):
                client, _ = await self._sessions.open_imap(attempt, server, password)
                try:
                    with attempt.reported():
                        found = await work(client, attempt)
                        await client.logout()
                finally:
                    await client.aclose()
        except TimeoutError as e:
            raise attempt.timed_out(TOTAL_S) from e
        return found


async def _held(fetched: AsyncIterator[FetchedMessage]) -> deque[FetchedMessage]:
    """The last of these messages, as many as a look may hold, whatever the server sends."""
    held, size = deque[FetchedMessage](), 0
    async for message in fetched:
        held.append(message)
        size += len(message.body or b"")
        while len(held) > NEWEST or size > LARGEST_LOOK:
            size -= len(held.popleft().body or b"")
    return held


def _messages(grant_id: str, folder: str, fetched: Sequence[FetchedMessage], now: int) -> list[LiveMessage]:
    """The messages of a fetch, newest first. CPU-bound."""
    parsed = [(message_id(grant_id, f.body), f, f.body, parse(f.body)) for f in fetched if f.body is not None]
    threads, _ = assign_threads(grant_id, [(identity, thread_headers(p)) for identity, _, _, p in parsed], {})
    found = {
        identity: LiveMessage(_message(grant_id, identity, threads[identity], folder, f, p, now), raw)
        for identity, f, raw, p in parsed
    }
    return sorted(found.values(), key=lambda live: (live.message.date, live.message.id), reverse=True)


def _message(
    grant_id: str, identity: str, thread: str, folder: str, fetched: FetchedMessage, parsed: ParsedMessage, now: int
) -> Message:
    encode = msgspec.json.encode
    flags = fetched.flags or frozenset()
    received = int(fetched.internal_date.timestamp()) if fetched.internal_date else now
    return Message(
        id=identity,
        grant_id=grant_id,
        thread_id=thread,
        subject=parsed.subject,
        from_=msgspec.Raw(encode(party_list(parsed.from_))),
        to=msgspec.Raw(encode(party_list(parsed.to))),
        cc=msgspec.Raw(encode(party_list(parsed.cc))),
        bcc=msgspec.Raw(encode(party_list(parsed.bcc))),
        reply_to=msgspec.Raw(encode(party_list(parsed.reply_to))),
        date=message_date(parsed, received),
        unread="\\Seen" not in flags,
        starred="\\Flagged" in flags,
        snippet=parsed.snippet,
        body=msgspec.Raw(encode(parsed.body)),
        folders=[folder],
        attachments=msgspec.Raw(encode(attachment_list(grant_id, parsed.attachments))),
        created_at=now,
    )
