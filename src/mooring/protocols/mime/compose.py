"""A message to send, written down: RFC 5322 with CRLF, seven-bit wherever the addresses allow it."""

import binascii
import re
from collections.abc import Iterator
from email.utils import format_datetime

from mooring.errors import InvalidRequest
from mooring.ids import digest_id
from mooring.large import WINDOW, windows
from mooring.protocols.mime.encode import address_line, checked, id_line, message_id, parameter, text_line
from mooring.protocols.mime.header import ids
from mooring.protocols.mime.text import plain
from mooring.protocols.mime.types import Address, Disposition, Outgoing, OutgoingAttachment

_NEWLINE = re.compile(r"\r\n|\r|\n")
_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60})\s*(?:;.*)?", re.DOTALL)
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")
_LINE = 76  # characters of base64 in a line (RFC 2045 section 6.8)
_LINE_BYTES = 57  # bytes that they stand for
_LINES = 4096  # encoded at once: 228 KiB
_MESSAGE = "message/rfc822"
_SEVEN_BIT = re.compile(rb"(?:[\x01-\x09\x0b\x0c\x0e-\x7f]{0,998}\r\n)*[\x01-\x09\x0b\x0c\x0e-\x7f]{0,998}")
_UNKNOWN_TYPE = "application/octet-stream"
# Written by us, or by the servers on the way; two of them would contradict each other.
_RESERVED = frozenset(
    [
        "from",
        "sender",
        "to",
        "cc",
        "bcc",
        "reply-to",
        "subject",
        "date",
        "message-id",
        "in-reply-to",
        "references",
        "mime-version",
        "return-path",
    ]
)
_RESERVED_PREFIXES = ("content-", "resent-", "received")


def compose(draft: Outgoing) -> bytes:
    """The bytes to send; the same draft always gives the same bytes. Bcc is not among them.

    Raises:
        InvalidRequest: an address is malformed, or a value cannot stand in a header; names the field.
    """
    own_id = message_id(draft.message_id)
    boundaries = _Boundaries(own_id)
    body = _body(draft, boundaries)
    attached = [_attachment(one) for one in draft.attachments if not _is_related(one, draft)]
    if attached:
        body = boundaries.multipart("mixed", [body, *attached])
    return b"".join((_head(draft, own_id), b"MIME-Version: 1.0\r\n", body))


class _Boundaries:
    """Delimiters that follow from the Message-ID, and that no encoded content contains."""

    def __init__(self, own_id: str) -> None:
        self._own_id = own_id
        self._count = 0

    def multipart(self, subtype: str, entities: list[bytes]) -> bytes:
        """One entity of these. "=_" occurs neither in base64 nor in quoted-printable (RFC 2045 section 6.7)."""
        self._count += 1
        boundary = f"=_{digest_id(self._own_id, str(self._count))}"
        head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode("ascii")
        delimiter = f"--{boundary}".encode("ascii")
        parts = [piece for entity in entities for piece in (delimiter, b"\r\n", entity, b"\r\n")]
        return b"".join((head, *parts, delimiter, b"--\r\n"))


def _head(draft: Outgoing, own_id: str) -> bytes:
    if not draft.from_:
        raise InvalidRequest("from is empty: a message needs a sender")
    lines = [
        text_line("Date", format_datetime(draft.date)),
        address_line("From", draft.from_, field="from"),
        address_line("Sender", draft.from_[:1], field="from") if len(draft.from_) > 1 else b"",
        *_listed(draft),
        text_line("Subject", draft.subject),
        id_line("Message-ID", [own_id]),
        id_line("In-Reply-To", ids(_bracketed(checked("in_reply_to", draft.in_reply_to)))[:1]),
        id_line("References", _references(draft)),
        *(_custom(name, value) for name, value in draft.custom_headers),
    ]
    return b"".join(lines)


def _listed(draft: Outgoing) -> list[bytes]:
    fields: tuple[tuple[str, str, list[Address]], ...] = (
        ("Reply-To", "reply_to", draft.reply_to),
        ("To", "to", draft.to),
        ("Cc", "cc", draft.cc),
    )
    lines = [address_line(name, listed, field=field) for name, field, listed in fields if listed]
    return lines if draft.to or draft.cc else [*lines, b"To: undisclosed-recipients:;\r\n"]


def _references(draft: Outgoing) -> list[str]:
    return [one for value in draft.references for one in ids(_bracketed(checked("references", value)))]


def _bracketed(value: str) -> str:
    return value if "<" in value or not value else f"<{value}>"


def _custom(name: str, value: str) -> bytes:
    lower = name.strip().lower()
    if lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES):
        raise InvalidRequest(f"custom_headers: {lower!r} is written by Mooring or by mail servers")
    return text_line(name, value, field="custom_headers")


def _body(draft: Outgoing, boundaries: _Boundaries) -> bytes:
    if draft.is_plaintext:
        return _text("plain", draft.body)
    rich = _text("html", draft.body)
    inline = [_attachment(one) for one in draft.attachments if _is_related(one, draft)]
    if inline:
        rich = boundaries.multipart("related", [rich, *inline])
    return boundaries.multipart("alternative", [_text("plain", plain(draft.body)), rich])


def _is_related(one: OutgoingAttachment, draft: Outgoing) -> bool:
    """Whether the HTML can refer to this attachment: inline and with a Content-ID."""
    return not draft.is_plaintext and one.inline and bool(one.content_id)


def _text(subtype: str, text: str) -> bytes:
    """A text entity in UTF-8; quoted-printable, or base64 where that is shorter."""
    data = b"".join(_utf8(text))
    quoted = list(_quoted(data))
    if sum(map(len, quoted)) > 4 * len(data) / 3 + 4 * len(data) / 228 + 4:
        lines = (data[start:end].replace(b"\n", b"\r\n") for start, end in windows(len(data)))
        encoding, written = "base64", _base64(b"".join(lines))
    else:
        encoding, written = "quoted-printable", b"".join(piece.replace(b"\n", b"\r\n") for piece in quoted)
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return b"".join((head.encode("ascii"), written))


def _utf8(text: str) -> Iterator[bytes]:
    """The text by windows, with LF at every line's end."""
    for start, end in windows(len(text)):
        piece = text[start:end]
        if piece.endswith("\r") and text.startswith("\n", end):
            piece = piece[:-1]
        yield _NEWLINE.sub("\n", piece).encode("utf-8", "replace")


def _quoted(data: bytes) -> Iterator[bytes]:
    """The data as quoted-printable, by windows; where one ends within a line, the line goes on after a soft break."""
    for start, end in windows(len(data)):
        quoted = binascii.b2a_qp(data[start:end], istext=True, header=False)
        soft = b"=\n" if end < len(data) and not quoted.endswith(b"\n") else b""
        # A line that begins with "From " would be changed on its way through mbox files.
        yield (b"\n" + quoted).replace(b"\nFrom ", b"\n=46rom ")[1:] + soft


def _base64(content: bytes) -> bytes:
    """The content as lines of base64, each with CRLF at its end."""
    pieces: list[bytes] = []
    for start, end in windows(len(content), _LINE_BYTES * _LINES):
        encoded = binascii.b2a_base64(content[start:end], newline=False)
        pieces.append(b"\r\n".join([encoded[at : at + _LINE] for at in range(0, len(encoded), _LINE)]))
        pieces.append(b"\r\n")
    return b"".join(pieces)


def _attachment(one: OutgoingAttachment) -> bytes:
    disposition = Disposition.INLINE if one.inline else Disposition.ATTACHMENT
    filename = checked("attachments.filename", one.filename)
    content_type = _content_type(checked("attachments.content_type", one.content_type), one.content)
    checked("attachments.content_disposition", one.content_disposition)
    as_it_is = content_type == _MESSAGE
    head = [
        f"Content-Type: {content_type}\r\n",
        f"Content-Transfer-Encoding: {'7bit' if as_it_is else 'base64'}\r\n",
        f"Content-Disposition: {disposition}{parameter('filename', filename) if filename else ''}\r\n",
    ]
    if one.content_id:
        head.append(f"Content-ID: <{_content_id(one.content_id)}>\r\n")
    head.append("\r\n")
    return b"".join(("".join(head).encode("ascii"), one.content if as_it_is else _base64(one.content)))


def _content_type(declared: str, content: bytes) -> str:
    """The type to write. A container cannot be encoded (RFC 2046 section 5.2.1), so it stands as it is or is a file."""
    match = _TYPE.fullmatch(declared)
    if match and match[1].lower() == _MESSAGE and _is_seven_bit(content):
        return _MESSAGE
    if not match or match[1].lower().startswith(("multipart/", "message/")):
        return _UNKNOWN_TYPE
    charset = _CHARSET.search(declared)
    suffix = f"; charset={charset[1]}" if charset and match[1].lower().startswith("text/") else ""
    return match[1].lower() + suffix


def _is_seven_bit(content: bytes) -> bool:
    """Whether the content can stand as it is: ASCII without NUL, in lines of 998 characters that end with CRLF."""
    start = 0
    while len(content) - start > WINDOW:
        end = content.rfind(b"\r\n", start, start + WINDOW) + 2
        if end < start + 2 or not _SEVEN_BIT.fullmatch(content, start, end):
            return False
        start = end
    return _SEVEN_BIT.fullmatch(content, start) is not None


def _content_id(value: str) -> str:
    bare = checked("attachments.content_id", value).strip().removeprefix("<").removesuffix(">")
    if not _CONTENT_ID.fullmatch(bare):
        raise InvalidRequest("attachments.content_id must be printable ASCII without blanks and angle brackets")
    return bare
