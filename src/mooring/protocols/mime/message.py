"""A message read whole: headers, body, snippet, attachments. Ugly input gives a value and defects."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from mooring.protocols.mime.address import addresses
from mooring.protocols.mime.charset import clean
from mooring.protocols.mime.errors import PartNotFound
from mooring.protocols.mime.header import fields, ids, raw_header_block, unfold, unix_date, words
from mooring.protocols.mime.salvage import Part
from mooring.protocols.mime.text import snippet
from mooring.protocols.mime.tree import text, tree
from mooring.protocols.mime.types import Address, AttachmentInfo, DecodedPart, Disposition, ParsedMessage

_BODY_TYPES = ("text/plain", "text/html")
_CID = re.compile(r"cid:([^\"'\s<>)]+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_FILENAME = 255  # characters; what file systems take
_WANTED = frozenset(
    ["message-id", "in-reply-to", "references", "subject", "from", "to", "cc", "bcc", "reply-to", "date"]
)
_EXTENSIONS = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/ics": ".ics",
    "application/json": ".json",
    "application/xml": ".xml",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
}


@dataclass(slots=True)
class _Parts:
    """The leaves of a tree, told apart."""

    body: list[Part] = field(default_factory=list[Part])
    attachments: list[tuple[str, Part]] = field(default_factory=list[tuple[str, Part]])


def parse(raw: bytes) -> ParsedMessage:
    """Everything that Mooring stores of a message; never raises, whatever the bytes are."""
    head = _Head(raw)
    root, defects = tree(raw)
    parts = _sort(root)
    body, is_plain = _body(parts.body, defects)
    return ParsedMessage(
        message_id=head.id("message-id"),
        in_reply_to=head.id("in-reply-to"),
        references=head.ids("references"),
        subject=head.subject(),
        from_=head.addresses("from"),
        to=head.addresses("to"),
        cc=head.addresses("cc"),
        bcc=head.addresses("bcc"),
        reply_to=head.addresses("reply-to"),
        date=head.date(defects),
        body=body,
        is_plain=is_plain,
        snippet=snippet(body, is_plain=is_plain),
        attachments=_attachments(parts, body),
        defects=defects,
    )


def part(raw: bytes, part_id: str) -> DecodedPart:
    """The attachment with this path, decoded.

    Raises:
        PartNotFound: the message lists no such attachment.
    """
    for path, found in _sort(tree(raw)[0]).attachments:
        if path == part_id:
            return DecodedPart(_content_type(found), _filename(found, path), found.content or b"")
    raise PartNotFound(f"the message has no attachment {clean(part_id)[:40]!r}")


class _Head:
    """The header fields that the stored copy knows, decoded when asked for."""

    def __init__(self, raw: bytes) -> None:
        self._values: dict[str, list[bytes]] = {}
        for name, value in fields(raw_header_block(raw)):
            if (lower := name.lower()) in _WANTED:
                self._values.setdefault(lower, []).append(value)

    def _first(self, name: str) -> str:
        values = self._values.get(name)
        return unfold(values[0]) if values else ""

    def ids(self, name: str) -> list[str]:
        return ids(self._first(name))

    def id(self, name: str) -> str:
        value = self._first(name)
        return next(iter(ids(value)), "".join(value.split()) if name == "message-id" else "")

    def subject(self) -> str:
        return words(self._first("subject")).strip()

    def addresses(self, name: str) -> list[Address]:
        return [one for value in self._values.get(name, ()) for one in addresses(unfold(value))]

    def date(self, defects: list[str]) -> int | None:
        value = self._first("date")
        seconds = unix_date(value) if value else None
        if value and seconds is None:
            defects.append("unreadable Date")
        return seconds


def _sort(root: Part) -> _Parts:
    parts = _Parts()
    parts.body = _walk(root, "" if root.content is None else "1", parts.attachments, lambda: True)
    return parts


def _walk(part: Part, path: str, attachments: list[tuple[str, Part]], may_be_body: Callable[[], bool]) -> list[Part]:
    """The body leaves below a node, in order; the other leaves go to ``attachments``.

    Source: RFC 8621 section 4.1.4, simplified: of alternatives the last HTML is taken, media stay attachments.
    """
    if part.content is not None:
        if part.content_type in _BODY_TYPES and part.disposition != Disposition.ATTACHMENT and may_be_body():
            return [part]
        attachments.append((path, part))
        return []
    found: list[list[Part]] = []
    related = part.content_type == "multipart/related"
    for number, child in enumerate(part.children, 1):
        first = number == 1
        allowed = _allowed(child, first=first, taken=related and any(found))
        found.append(_walk(child, f"{path}.{number}" if path else str(number), attachments, allowed))
    if part.content_type == "multipart/alternative":
        rich = [one for one in found if any(leaf.content_type == "text/html" and _filled(leaf) for leaf in one)]
        found = rich[-1:] or found
    return [leaf for one in found for leaf in one]


def _allowed(child: Part, *, first: bool, taken: bool) -> Callable[[], bool]:
    return lambda: not taken and (first or not child.filename.strip())


def _filled(leaf: Part) -> bool:
    return bool(leaf.content and leaf.content.strip())


def _body(leaves: list[Part], defects: list[str]) -> tuple[str, bool]:
    """The body, and whether it is plain text. Plain text among HTML is kept, as HTML."""
    is_plain = all(leaf.content_type == "text/plain" for leaf in leaves)
    pieces: list[str] = []
    for leaf in leaves:
        content, defect = text(leaf)
        if defect:
            defects.append(defect)
        if not is_plain and leaf.content_type == "text/plain":
            content = f"<pre>{html.escape(content, quote=False)}</pre>" if content.strip() else ""
        pieces.append(content)
    return ("\n" if is_plain else "").join(pieces), is_plain


def _attachments(parts: _Parts, body: str) -> list[AttachmentInfo]:
    if not parts.attachments:
        return []
    linked = {unquote(link) for link in _CID.findall(body)}
    return [_info(found, path, linked) for path, found in parts.attachments]


def _info(found: Part, path: str, linked: set[str]) -> AttachmentInfo:
    content_id = clean(found.content_id).strip()
    is_inline = found.disposition == Disposition.INLINE or (bool(content_id) and content_id in linked)
    return AttachmentInfo(
        part_id=path,
        filename=_filename(found, path),
        content_type=_content_type(found),
        size=len(found.content or b""),
        content_id=content_id,
        disposition=Disposition.INLINE if is_inline else Disposition.ATTACHMENT,
        is_inline=is_inline,
    )


def _content_type(found: Part) -> str:
    return clean(_UNSAFE.sub("", found.content_type)) or "application/octet-stream"


def _filename(found: Part, path: str) -> str:
    """The sender's name for a file without folders and control characters; one of ours when that leaves nothing."""
    name = clean(_UNSAFE.sub(" ", found.filename)).replace("\\", "/").rpartition("/")[2].strip()[:_MAX_FILENAME]
    if name.strip(". "):
        return name
    return f"attachment-{path.replace('.', '-')}{_EXTENSIONS.get(found.content_type, '.bin')}"
