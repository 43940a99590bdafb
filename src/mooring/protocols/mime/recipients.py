"""Who gets a message: addresses checked, and the envelope."""

import re
from dataclasses import dataclass

import idna

from mooring.errors import InvalidRequest
from mooring.protocols.mime.charset import clean
from mooring.protocols.mime.types import Outgoing, Recipients

_MAX_ADDRESS = 254  # octets; RFC 5321 section 4.5.3.1.3, without the angle brackets
_LOCAL = re.compile(r"[^\s\x00-\x20\x7f-\xa0\"(),:;<>@\[\\\]]+")
_LITERAL = re.compile(r"\[[0-9A-Za-z.:]+\]")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A checked address: the local part as written, the domain in ASCII."""

    local: str
    domain: str

    @property
    def text(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        return not self.local.isascii()


def mailbox(email: str, field: str) -> Mailbox:
    """The parts of an address that SMTP and a header can carry.

    Args:
        field: named in the error (``to``).

    Raises:
        InvalidRequest: not one ``@``, or characters that do not belong into an address.

    Source: RFC 5321 section 4.1.2; RFC 5890 for domains; RFC 6531 for non-ASCII local parts.
    """
    local, at, domain = email.partition("@")
    if not at or not _LOCAL.fullmatch(local) or clean(local) != local:
        raise _invalid(email, field)
    if not _LITERAL.fullmatch(domain):
        domain = _ascii(domain, email, field)
    box = Mailbox(local, domain)
    if len(box.text.encode()) > _MAX_ADDRESS:
        raise _invalid(email, field)
    return box


def recipients(draft: Outgoing) -> Recipients:
    """Everybody that a message goes to, each once.

    Raises:
        InvalidRequest: an address is malformed, or there is nobody to send to.
    """
    boxes = [
        mailbox(one.email, field)
        for field, listed in (("to", draft.to), ("cc", draft.cc), ("bcc", draft.bcc))
        for one in listed
    ]
    if not boxes:
        raise InvalidRequest("to, cc and bcc are empty: there is nobody to send to")
    unique = list({(box.local, box.domain.lower()): box.text for box in reversed(boxes)}.values())
    senders = [mailbox(one.email, "from") for one in draft.from_]
    return Recipients(unique[::-1], any(box.needs_smtputf8 for box in boxes + senders))


def _ascii(domain: str, email: str, field: str) -> str:
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise _invalid(email, field) from None
    if not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        raise _invalid(email, field)
    return domain


def _invalid(email: str, field: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {clean(email)[:_MAX_ADDRESS]!r} is not an email address")
