"""Asking the mail server itself, for as long as nothing is stored of a folder (spec §6.9)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from mooring.clock import Clock
from mooring.egress import Traffic
from mooring.grants import Grant, Keys, Sessions, way_of
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
from mooring.protocols.imap import FetchedMessage, UidSet
from mooring.protocols.mime import ParsedMessage, parse
from mooring.sync.flights import Flights

NEWEST = 50
"""Messages that a live look brings: a page."""
LARGEST = 50 * 1024 * 1024
"""Bytes; a larger message waits for the synchronisation."""
INBOX = b"INBOX"


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """A message as the server gave it just now."""

    message: Message
    raw: bytes = field(repr=False)


class LiveReader:
    """Reads from the server, by the way of the class ``live``; each folder by one session at a time."""

    def __init__(self, sessions: Sessions, keys: Keys, clock: Clock) -> None:
        self._sessions = sessions
        self._keys = keys
        self._clock = clock
        self._folders = Flights[list[Folder]](clock)
        self._messages = Flights[list[LiveMessage]](clock)

    async def folders(self, grant: Grant) -> list[Folder]:
        """The folders that the server lists.

        Raises:
            ProviderFailure, EgressError, TargetNotAllowed.
        """
        return await self._folders.ask((grant.id, grant.environment), lambda: self._list(grant))

    async def messages(self, grant: Grant, wire_name: bytes = INBOX) -> list[LiveMessage]:
        """The newest messages of a folder, newest first. Raises: as ``folders``."""
        key = (grant.id, grant.environment, wire_name)
        return await self._messages.ask(key, lambda: self._fetch(grant, wire_name))

    async def _list(self, grant: Grant) -> list[Folder]:
        credentials = await self._keys.credentials(grant)
        client, attempt, _ = await self._sessions.imap(
            way_of(grant, Traffic.LIVE), grant.settings.imap, credentials.imap_password
        )
        try:
            with attempt.reported():
                attempt.stage = "list"
                listed = await client.list()
                await client.logout()
        finally:
            await client.aclose()
        return folders_of(grant.id, listed)

    async def _fetch(self, grant: Grant, wire_name: bytes) -> list[LiveMessage]:
        credentials = await self._keys.credentials(grant)
        client, attempt, _ = await self._sessions.imap(
            way_of(grant, Traffic.LIVE), grant.settings.imap, credentials.imap_password
        )
        try:
            with attempt.reported():
                attempt.stage = "fetch"
                await client.select(wire_name, read_only=True)
                uids = UidSet.of(list(await client.search())[-NEWEST:])
                fetched = [message async for message in client.fetch(uids, max_literal=LARGEST)]
                await client.logout()
        finally:
            await client.aclose()
        now = int(self._clock.now().timestamp())
        return await asyncio.to_thread(_messages, grant.id, folder_id(grant.id, wire_name), fetched, now)


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
        body=parsed.body,
        folders=[folder],
        attachments=msgspec.Raw(encode(attachment_list(parsed.attachments))),
        created_at=now,
    )
