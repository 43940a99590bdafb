"""The mailbox that is selected, as the server's words change it."""

from mooring.protocols.imap.sequence import UidSet
from mooring.protocols.imap.spelling import MAX_UID
from mooring.protocols.imap.types import (
    Event,
    Exists,
    Expunge,
    FetchedMessage,
    MailboxFlags,
    ResponseText,
    Selected,
    Vanished,
)
from mooring.protocols.imap.wire import flag_set

DESCRIBING_CODES = frozenset(
    {"UIDVALIDITY", "UIDNEXT", "UNSEEN", "HIGHESTMODSEQ", "NOMODSEQ", "PERMANENTFLAGS", "MAILBOXID", "CLOSED"}
)
"""What servers say of every mailbox when it is selected (RFC 9051 §6.3.2); their news is in Mailbox."""

_MAX_COUNTER = 2**63 - 1


class Mailbox:
    """Counters and flags of the selected mailbox, always as of the last response that was read.

    Attributes:
        uid_validity: 0 until the server has told it.
        highest_modseq: None when the mailbox keeps no such counters.
    """

    __slots__ = (
        "exists",
        "flags",
        "highest_modseq",
        "mailbox_id",
        "name",
        "permanent_flags",
        "read_only",
        "uid_next",
        "uid_validity",
        "wire",
    )

    def __init__(self, name: str, wire: bytes, *, read_only: bool) -> None:
        self.name = name
        self.wire = wire
        self.read_only = read_only
        self.exists = 0
        self.uid_validity = 0
        self.uid_next: int | None = None
        self.highest_modseq: int | None = None
        self.flags: frozenset[str] = frozenset()
        self.permanent_flags: frozenset[str] | None = None
        self.mailbox_id: str | None = None

    def apply(self, event: Event) -> None:
        """Follow an untagged response."""
        match event:
            case Exists(count=count):
                self.exists = count
            case Expunge():
                self.exists = max(0, self.exists - 1)
            case Vanished(uids=uids, earlier=False):
                self.exists = max(0, self.exists - len(uids))
            case MailboxFlags(flags=flags):
                self.flags = flags
            case _:
                pass

    def apply_code(self, text: ResponseText) -> None:
        """Follow a response code; one that does not concern a mailbox changes nothing."""
        words = text.arguments.strip().removeprefix("(").removesuffix(")")
        match text.code:
            case "UIDVALIDITY":
                self.uid_validity = counter(words, MAX_UID) or self.uid_validity
            case "UIDNEXT":
                self.uid_next = counter(words, MAX_UID)
            case "HIGHESTMODSEQ":
                self.highest_modseq = counter(words)
            case "NOMODSEQ":
                self.highest_modseq = None
            case "PERMANENTFLAGS":
                self.permanent_flags = flag_set(words.encode())
            case "READ-ONLY":
                self.read_only = True
            case "READ-WRITE":
                self.read_only = False
            case "MAILBOXID":
                self.mailbox_id = words or None
            case _:
                pass

    def selected(self, vanished: UidSet, changed: list[FetchedMessage]) -> Selected:
        """The state now, as a value.

        Args:
            vanished, changed: what QRESYNC brought.
        """
        return Selected(
            name=self.name,
            wire=self.wire,
            exists=self.exists,
            uid_validity=self.uid_validity,
            uid_next=self.uid_next,
            highest_modseq=self.highest_modseq,
            flags=self.flags,
            permanent_flags=self.flags if self.permanent_flags is None else self.permanent_flags,
            read_only=self.read_only,
            mailbox_id=self.mailbox_id,
            vanished=vanished,
            changed=changed,
        )


def counter(text: str, highest: int = _MAX_COUNTER) -> int | None:
    """The number in a response code, or None when there is no sensible one."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return None
    return int(digits) if int(digits) <= highest else None
