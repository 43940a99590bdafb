"""What this room hands over, and what it takes: plain values, without bytes of the whole message."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Disposition(StrEnum):
    """How a part wants to be shown (RFC 2183); anything unknown counts as an attachment."""

    INLINE = "inline"
    ATTACHMENT = "attachment"


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox; ``name`` is "" when the header gave none."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """One part that is not the body.

    Attributes:
        part_id: its path in the tree, counted from 1 (``2.1``); the same bytes always give the same path.
        size: bytes after decoding.
        content_id: without angle brackets, "" when there is none.
        is_inline: shown within the body: marked so, or referred to by a ``cid:`` link.
    """

    part_id: str
    filename: str
    content_type: str
    size: int
    content_id: str
    disposition: Disposition
    is_inline: bool


@dataclass(frozen=True, slots=True)
class DecodedPart:
    """One attachment, decoded."""

    content_type: str
    filename: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What a message says; every string can be stored as UTF-8 text without U+0000.

    Attributes:
        message_id, in_reply_to, references: without angle brackets; "" and [] when absent.
        date: the Date header in unix seconds, None when absent or unreadable.
        body: HTML, or the plain text as it is when there is no HTML part (``is_plain``).
        snippet: about 100 characters of the body as plain text on one line.
        defects: what had to be guessed or repaired, in words for a log.
    """

    message_id: str
    in_reply_to: str
    references: list[str]
    subject: str
    from_: list[Address]
    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    reply_to: list[Address]
    date: int | None
    body: str
    is_plain: bool
    snippet: str
    attachments: list[AttachmentInfo]
    defects: list[str]


@dataclass(frozen=True, slots=True)
class OutgoingAttachment:
    """A file to send; it is inline when ``is_inline`` is set or ``content_disposition`` says so."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str = ""
    is_inline: bool = False
    content_disposition: str = ""

    @property
    def inline(self) -> bool:
        """Whether the attachment is to be shown within the body."""
        return self.is_inline or self.content_disposition.strip().lower().startswith(Disposition.INLINE)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent.

    Attributes:
        body: HTML, or plain text when ``is_plaintext``.
        message_id, in_reply_to, references: with or without angle brackets.
        date: aware.
        custom_headers: pairs of name and value, in order.
    """

    from_: list[Address]
    message_id: str
    date: datetime
    to: list[Address] = field(default_factory=list[Address])
    cc: list[Address] = field(default_factory=list[Address])
    bcc: list[Address] = field(default_factory=list[Address])
    reply_to: list[Address] = field(default_factory=list[Address])
    subject: str = ""
    body: str = ""
    is_plaintext: bool = False
    attachments: list[OutgoingAttachment] = field(default_factory=list[OutgoingAttachment])
    in_reply_to: str = ""
    references: list[str] = field(default_factory=list[str])
    custom_headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass(frozen=True, slots=True)
class Recipients:
    """The envelope: whom SMTP is told.

    Attributes:
        addresses: each once, in the order to, cc, bcc; domains as ASCII (A-labels).
        needs_smtputf8: an address, the sender's included, has a non-ASCII local part (RFC 6531).
    """

    addresses: list[str]
    needs_smtputf8: bool
