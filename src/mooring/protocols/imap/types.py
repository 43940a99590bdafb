"""What a server says, as values. Everything that ends in text is clean: no NUL, no half surrogate pairs."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from mooring.protocols.imap.sequence import UidSet


class Status(StrEnum):
    """The five words of a status response (RFC 9051 §7.1)."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    PREAUTH = "PREAUTH"


class Flag(StrEnum):
    """System flags (RFC 9051 §2.3.2); servers and users add keywords of their own."""

    SEEN = "\\Seen"
    ANSWERED = "\\Answered"
    FLAGGED = "\\Flagged"
    DELETED = "\\Deleted"
    DRAFT = "\\Draft"
    RECENT = "\\Recent"


class Attribute(StrEnum):
    """What LIST says of a mailbox (RFC 9051 §7.3.1, RFC 6154 §2)."""

    NO_INFERIORS = "\\Noinferiors"
    NO_SELECT = "\\Noselect"
    NON_EXISTENT = "\\NonExistent"
    HAS_CHILDREN = "\\HasChildren"
    HAS_NO_CHILDREN = "\\HasNoChildren"
    MARKED = "\\Marked"
    UNMARKED = "\\Unmarked"
    SUBSCRIBED = "\\Subscribed"
    REMOTE = "\\Remote"
    ALL = "\\All"
    ARCHIVE = "\\Archive"
    DRAFTS = "\\Drafts"
    FLAGGED = "\\Flagged"
    IMPORTANT = "\\Important"
    JUNK = "\\Junk"
    SENT = "\\Sent"
    TRASH = "\\Trash"


class ResponseText(Struct, frozen=True):
    """The words of a status response, kept whole.

    Attributes:
        code: the response code in capitals (RFC 5530 and others), or None.
        arguments: what follows the code inside its brackets.
        text: what is meant for people.
        raw: all of it as it came, without the tag.
    """

    code: str | None
    arguments: str
    text: str
    raw: bytes


class Tagged(Struct, frozen=True):
    """The end of a command."""

    tag: str
    status: Status
    text: ResponseText


class Continuation(Struct, frozen=True):
    """``+``: the server waits for more of a command."""

    text: bytes


class StatusResponse(Struct, frozen=True):
    """A status response that belongs to no command: alerts, news of the mailbox, BYE."""

    status: Status
    text: ResponseText


class Capabilities(Struct, frozen=True):
    """What the server can do, in capitals."""

    names: frozenset[str]


class Enabled(Struct, frozen=True):
    """What ENABLE switched on (RFC 5161)."""

    names: frozenset[str]


class ServerId(Struct, frozen=True):
    """What the server says it is (RFC 2971); for people and statistics, never to decide by."""

    fields: dict[str, str]


class MailboxFlags(Struct, frozen=True):
    """The flags that exist in the selected mailbox."""

    flags: frozenset[str]


class Exists(Struct, frozen=True):
    """The mailbox holds this many messages now."""

    count: int


class Recent(Struct, frozen=True):
    """This many messages are new to every session (RFC 3501 §7.3.2)."""

    count: int


class Expunge(Struct, frozen=True):
    """The message of this sequence number is gone, and those after it have moved up."""

    sequence: int


class Vanished(Struct, frozen=True):
    """Messages that are gone (RFC 7162 §3.2.10); some of the UIDs may never have existed.

    Attributes:
        earlier: they went before this mailbox was selected, or before the asked-for state.
    """

    uids: UidSet
    earlier: bool


class FetchedMessage(Struct, frozen=True, gc=False):
    """What the server told of one message; what it did not tell is None.

    Attributes:
        uid: 0 when it was left out, which only happens to news that nobody asked for.
        sequence: its number in the mailbox at that moment.
        internal_date: when the server received it, with the server's offset.
        size: bytes, as the server counts them (RFC822.SIZE).
        modseq: CONDSTORE's counter (RFC 7162).
        body: the section that was asked for, whole.
        truncated: it was larger than allowed, and was thrown away while it was read.
    """

    uid: int
    sequence: int
    flags: frozenset[str] | None = None
    internal_date: datetime | None = None
    size: int | None = None
    modseq: int | None = None
    body: bytes | None = None
    truncated: bool = False

    def __repr__(self) -> str:
        held = None if self.body is None else f"{len(self.body)} bytes"
        return f"FetchedMessage(uid={self.uid}, flags={self.flags}, size={self.size}, body={held})"


class MailboxStatus(Struct, frozen=True):
    """The answer to STATUS; what was not asked for, or not told, is None.

    Attributes:
        wire: the name as the server spells it.
        size: bytes of all messages (RFC 8438).
    """

    name: str
    wire: bytes
    messages: int | None = None
    unseen: int | None = None
    uid_next: int | None = None
    uid_validity: int | None = None
    highest_modseq: int | None = None
    size: int | None = None


class ListedMailbox(Struct, frozen=True):
    """One mailbox of the account.

    Attributes:
        name: as text.
        wire: as the server spells it; the form to give back when the name is an odd one.
        delimiter: what parts the levels of a name, or None when there are none.
        attributes: in the spelling of Attribute where they are known.
        status: where the server told it along (LIST-STATUS).
    """

    name: str
    wire: bytes
    delimiter: str | None
    attributes: frozenset[str]
    status: MailboxStatus | None = None

    @property
    def is_selectable(self) -> bool:
        """Whether there is a mailbox, and not only a level of the tree."""
        return not self.attributes & {Attribute.NO_SELECT, Attribute.NON_EXISTENT}


class SearchResult(Struct, frozen=True):
    """The messages found, and the highest MODSEQ among them if the search asked for one."""

    uids: UidSet
    modseq: int | None = None


class Namespace(Struct, frozen=True):
    """Where a kind of mailboxes begins (RFC 2342)."""

    prefix: str
    delimiter: str | None


class Namespaces(Struct, frozen=True):
    """The account's own mailboxes, other people's, and those that are shared."""

    personal: tuple[Namespace, ...]
    other_users: tuple[Namespace, ...]
    shared: tuple[Namespace, ...]


class Unparsed(Struct, frozen=True):
    """A response that we do not know or cannot read, kept as it came (without its literals)."""

    raw: bytes
    reason: str


News = (
    StatusResponse
    | Capabilities
    | Enabled
    | ServerId
    | MailboxFlags
    | Exists
    | Recent
    | Expunge
    | Vanished
    | FetchedMessage
    | MailboxStatus
    | ListedMailbox
    | SearchResult
    | Namespaces
    | Unparsed
)
"""Whatever a server may say outside the end of a command."""

Event = Tagged | Continuation | News


class CopiedUids(Struct, frozen=True):
    """Where copied messages are now (RFC 4315 §3).

    Attributes:
        uid_validity: of the mailbox they were copied to.
        uids: old UID to new UID.
    """

    uid_validity: int
    uids: dict[int, int]


class Moved(Struct, frozen=True):
    """The outcome of a move.

    Attributes:
        copied: where the messages are now, if the server said so.
        expunged: False when the server can neither move nor expunge by UID: the originals then stay, marked \\Deleted.
    """

    copied: CopiedUids | None
    expunged: bool


class Appended(Struct, frozen=True):
    """Where an appended message is now (RFC 4315 §3)."""

    uid_validity: int
    uid: int


class Stored(Struct, frozen=True):
    """The outcome of STORE.

    Attributes:
        changed: the messages whose flags the server told.
        refused: those that had changed since (UNCHANGEDSINCE), and were left alone.
    """

    changed: list[FetchedMessage]
    refused: UidSet


class Selected(Struct, frozen=True):
    """A mailbox as it was when it was selected.

    Attributes:
        highest_modseq: None when the mailbox keeps no such counters.
        permanent_flags: those that stay when changed; ``\\*`` means that new keywords can be made.
        mailbox_id: an identifier that outlives a rename (RFC 8474), if there is one.
        vanished, changed: what happened since the state that QRESYNC was given.
    """

    name: str
    wire: bytes
    exists: int
    uid_validity: int
    uid_next: int | None
    highest_modseq: int | None
    flags: frozenset[str]
    permanent_flags: frozenset[str]
    read_only: bool
    mailbox_id: str | None
    vanished: UidSet
    changed: list[FetchedMessage]
