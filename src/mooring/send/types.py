"""What somebody wants to send."""

from dataclasses import dataclass, field
from enum import StrEnum

from mooring.mail import Party


@dataclass(frozen=True, slots=True)
class SentAttachment:
    """A file to send along.

    Attributes:
        content: the decoded bytes.
        content_id: what an inline image is referred to by, without angle brackets.
    """

    filename: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str = ""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """A message to send, as the caller gave it.

    Attributes:
        from_: None sends as the grant's own address.
        body: HTML, or plain text if ``is_plaintext``.
        reply_to_message_id: one of our message ids; sets In-Reply-To and References.
        custom_headers: (name, value).
    """

    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()
    reply_to: tuple[Party, ...] = ()
    from_: Party | None = None
    subject: str = ""
    body: str = ""
    is_plaintext: bool = False
    attachments: tuple[SentAttachment, ...] = ()
    reply_to_message_id: str = ""
    custom_headers: tuple[tuple[str, str], ...] = ()


class SubmissionState(StrEnum):
    """How far a submission has come; it never goes back."""

    #: written down; no server has seen it
    INTENDED = "intended"
    #: being handed over
    SENDING = "sending"
    #: a server has taken responsibility for it
    SENT = "sent"
    #: nobody got it
    REFUSED = "refused"
    #: handed over at least in part, and never answered; never repeated by itself
    UNKNOWN = "unknown"
