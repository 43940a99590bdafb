"""What makes a message the same message, and what makes messages a thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mooring.ids import digest_id


def message_id(grant_id: str, raw: bytes) -> str:
    """The id of this content in this grant: the same after a move, a copy, or a full resync (spec §6.19).

    The Message-ID header has no part in it: two contents with one Message-ID are two messages.
    """
    return digest_id(grant_id, raw)


def folder_id(grant_id: str, wire_name: bytes) -> str:
    """The id of a folder: of its name, as the server spells it. The inbox has one spelling (RFC 9051 §5.1)."""
    return digest_id(grant_id, "folder", b"INBOX" if wire_name.upper() == b"INBOX" else wire_name)


@dataclass(frozen=True, slots=True)
class ThreadHeaders:
    """What ties a message to others: Message-IDs without angle brackets.

    Attributes:
        own: its own, or "".
        references: its ancestors, the oldest first; In-Reply-To last where References lack it.
    """

    own: str
    references: tuple[str, ...]


def assign_threads(
    grant_id: str, batch: Sequence[tuple[str, ThreadHeaders]], known: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The thread of each message of a batch, and the links to remember.

    The first thread that any of a message's headers was tied to stays its thread, so an id never changes, in
    whichever order messages arrive: a reply that comes before its parent ties the parent's Message-ID, too.

    Args:
        batch: (message id, headers).
        known: Message-ID → thread id, as remembered for this grant.

    Returns: message id → thread id, and the new links.
    """
    links = dict(known)
    threads: dict[str, str] = {}
    for identity, headers in batch:
        words = [w for w in (headers.own, *headers.references) if w]
        thread = next((links[w] for w in words if w in links), None)
        if thread is None:
            root = headers.references[0] if headers.references else headers.own
            thread = digest_id(grant_id, "thread", root or identity)
        for word in words:
            links.setdefault(word, thread)
        threads[identity] = thread
    return threads, {word: thread for word, thread in links.items() if word not in known}
