"""Sessions that were opened for a mailbox before it is ours, until whoever synchronises it takes them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from mooring.grants import Attempt
from mooring.protocols.imap import ImapClient

TAKEN_S = 10.0
"""Seconds within which a session is taken; the mailbox, which is ours by then, is begun at once."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A logged-in session, and the attempt to report its failures with."""

    client: ImapClient
    attempt: Attempt
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class Openings:
    """At most one for each grant."""

    def __init__(self) -> None:
        self._by_grant: dict[str, Opened] = {}

    async def offer(self, grant_id: str, opened: Opened) -> None:
        """Have this session ready for whoever takes up the mailbox; return once it is taken, or closed because
        nobody came.
        """
        self._by_grant[grant_id] = opened
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(TAKEN_S):
                    await opened.taken.wait()
        finally:
            if self.take(grant_id) is not None:
                await opened.client.aclose()

    def take(self, grant_id: str) -> Opened | None:
        """The session, which is the caller's from now on; None when there is none."""
        opened = self._by_grant.pop(grant_id, None)
        if opened is not None:
            opened.taken.set()
        return opened
