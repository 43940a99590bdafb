"""Sessions that were opened for a mailbox before it is ours, until whoever synchronises it takes them."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from mooring.grants import Attempt
from mooring.protocols.imap import ImapClient

TAKEN_S = 10.0
"""Seconds within which a session is taken; the mailbox, which is ours by then, is begun at once."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A logged-in session, and the attempt to report its failures with."""

    client: ImapClient
    attempt: Attempt


class Opening:
    """A session whose mailbox is about to be handed over to this process, or has been.

    Attributes:
        version: of the account that the session belongs to (``Grant.updated_at``); None: it was not handed over.
        is_taken: somebody has it.
    """

    def __init__(self, grant_id: str, opened: Opened) -> None:
        self.grant_id = grant_id
        self.opened = opened
        self.version: datetime | None = None
        self._decided = asyncio.Event()
        self._taken = asyncio.Event()

    @property
    def is_taken(self) -> bool:
        return self._taken.is_set()

    async def offer(self, version: datetime) -> None:
        """Have it ready for whoever takes up the mailbox; return once it is taken, or nobody came."""
        self.version = version
        self._decided.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_S):
                await self._taken.wait()

    def close(self) -> None:
        """Nobody takes it from now on."""
        if not self.is_taken:
            self.version = None
        self._decided.set()

    async def take(self, version: datetime) -> Opened | None:
        """The session, if it belongs to this version of the account and nobody has it; waits until that is known."""
        await self._decided.wait()
        if self.version != version or self.is_taken:
            return None
        self._taken.set()
        return self.opened


class Openings:
    """At most one for each grant."""

    def __init__(self) -> None:
        self._by_grant: dict[str, Opening] = {}

    @contextmanager
    def opening(self, grant_id: str, opened: Opened) -> Generator[Opening]:
        """A session that is announced before its mailbox is handed over, so that nobody who gets that opens another."""
        opening = self._by_grant[grant_id] = Opening(grant_id, opened)
        try:
            yield opening
        finally:
            del self._by_grant[grant_id]
            opening.close()

    async def take(self, grant_id: str, version: datetime) -> Opened | None:
        """The session that belongs to this version of the account, which is the caller's from now on; or None."""
        opening = self._by_grant.get(grant_id)
        return await opening.take(version) if opening is not None else None
