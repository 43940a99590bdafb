"""Sessions that were opened for a mailbox before it is ours, until whoever synchronises it takes them."""

from dataclasses import dataclass

from mooring.grants import Attempt
from mooring.protocols.imap import ImapClient


@dataclass(frozen=True, slots=True)
class Opened:
    """A logged-in session, and the attempt to report its failures with."""

    client: ImapClient
    attempt: Attempt


class Openings:
    """At most one for each grant."""

    def __init__(self) -> None:
        self._by_grant: dict[str, Opened] = {}

    def put(self, grant_id: str, opened: Opened) -> None:
        """Have this session ready for whoever takes up the mailbox."""
        self._by_grant[grant_id] = opened

    def take(self, grant_id: str) -> Opened | None:
        """The session, which is the caller's from now on; None when there is none."""
        return self._by_grant.pop(grant_id, None)

    async def close(self, grant_id: str) -> None:
        """Close the session, if nobody has taken it."""
        if (left := self.take(grant_id)) is not None:
            await left.client.aclose()
