"""The tree of a message: by the fast parser, or salvaged where that refuses."""

import re

from fast_mail_parser import ParseError, PyMimePart, parse_email_tree

from mooring.large import count
from mooring.protocols.mime.charset import decode
from mooring.protocols.mime.header import beginning
from mooring.protocols.mime.salvage import Part, Salvage, filename

_MAX_DELIMITERS = 2_000  # lines that begin with "--"; above that a message could mean millions of parts
_MAX_LINES = 1_000_000  # above that it could mean millions of header fields
_MAX_WORD_WORK = 2_000_000_000  # bytes scanned for encoded words: the fast parser reads on from each "=?" (0.2 s)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)


def tree(raw: bytes) -> tuple[Part, list[str]]:
    """The parts of a message, decoded, and the defects that were met.

    The same bytes always go the same way, so that a part's path stays what it was.
    """
    if _is_ordinary(raw):
        start = beginning(raw)
        try:
            root = _convert(parse_email_tree(raw[start:] if start else raw))
        except ParseError:
            root = None
        if root is not None:
            return root, []
    salvage = Salvage()
    return salvage.part(raw), salvage.defects


def text(part: Part) -> tuple[str, str]:
    """The text of a text part, and a defect or ""."""
    label = _CHARSET.search(part.declared)
    return decode(part.content or b"", label[1] if label else "")


def _is_ordinary(raw: bytes) -> bool:
    """Whether the fast parser's time and memory stay in proportion to the message.

    Counting costs as much as parsing, so what a message is too short for is not counted.
    """
    size = len(raw)
    if size > _MAX_LINES and count(raw, b"\n") > _MAX_LINES:
        return False
    if size > _MAX_DELIMITERS * len(b"\n--") and count(raw, b"\n--") > _MAX_DELIMITERS:
        return False
    return size * (size // len(b"=?")) <= _MAX_WORD_WORK or count(raw, b"=?") * size <= _MAX_WORD_WORK


def _convert(node: PyMimePart) -> Part | None:
    """Our own node; None when a multipart has no parts, whose text would be lost."""
    content_type = node.content_type.lower()
    if content_type.startswith("multipart/"):
        children = [_convert(child) for child in node.children]
        whole = tuple(child for child in children if child is not None)
        return Part(content_type, "", "", "", "", None, whole) if whole and len(whole) == len(children) else None
    head = {name.lower(): values[0] for name, values in node.headers.items()}
    declared, encoding = head.get("content-type", ""), head.get("content-transfer-encoding", "")
    disposition = head.get("content-disposition", "")
    content = node.content or b""
    if encoding != encoding.strip():
        # The fast parser knows an encoding only without blanks behind it, and leaves the content as it is.
        content = Salvage().decoded(encoding, content)
    return Part(
        content_type,
        declared,
        filename(disposition, declared) if "name" in (disposition + declared).lower() else "",
        node.content_id or "",
        (node.disposition or "").strip().lower(),
        content,
    )
