"""The parts of a message that the fast parser refuses: base64 that is broken, nesting that is absurd.

Nothing raises here, and work grows with the size of the message only.
"""

import binascii
from dataclasses import dataclass

from mooring.protocols.mime.header import MAX_VALUE, beginning, fields, lenient_base64, raw_header_block, unfold
from mooring.protocols.mime.params import parameters

MAX_PARTS = 1_000  # parts of one message; what follows stays within the last one
MAX_DEPTH = 30  # nested multiparts; what is deeper stays one part

_FIELDS = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "content-id"})


@dataclass(frozen=True, slots=True)
class Part:
    """One node of a message's tree.

    Attributes:
        content_type: lower case, without parameters.
        declared: the Content-Type field as it stands, for its charset.
        disposition: the token, lower case; "" when there is none.
        content: decoded bytes; None for a multipart.
    """

    content_type: str
    declared: str
    filename: str
    content_id: str
    disposition: str
    content: bytes | None
    children: "tuple[Part, ...]" = ()


class Salvage:
    """One reading of one message; ``defects`` tells what was repaired."""

    def __init__(self) -> None:
        self.defects: list[str] = []
        self._left = MAX_PARTS

    def part(self, raw: bytes, *, depth: int = 0, default: str = "text/plain") -> Part:
        """The tree of these bytes, which are a header, an empty line and a body."""
        block = raw_header_block(raw)
        body = raw[beginning(raw) + len(block) :]
        head = _Head(block)
        declared = head.get("content-type")
        content_type = token(declared)
        if content_type.count("/") != 1:
            content_type = default
        if content_type.startswith("multipart/"):
            inner = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
            pieces = self._split(body, parameters(declared).get("boundary", "")) if depth < MAX_DEPTH else []
            if pieces:
                children = tuple(self.part(piece, depth=depth + 1, default=inner) for piece in pieces)
                return Part(content_type, declared, "", "", "", None, children)
            self.defects.append("a multipart without parts is read as text")
            content_type = "text/plain"
        content = self.decoded(head.get("content-transfer-encoding"), body)
        disposition = head.get("content-disposition")
        return Part(
            content_type,
            declared,
            filename(disposition, declared),
            head.get("content-id").strip("<>"),
            token(disposition),
            content,
        )

    def _split(self, body: bytes, boundary: str) -> list[bytes]:
        """The bytes between the delimiter lines.

        Source: RFC 2046 section 5.1.1.
        """
        if not boundary:
            return []
        delimiter = b"--" + boundary.encode()
        pieces: list[bytes] = []
        at, start = 0, -1
        while self._left > 0 and (found := body.find(delimiter, at)) >= 0:
            at = found + len(delimiter)
            line_end = body.find(b"\n", at)
            line_end = len(body) if line_end < 0 else line_end + 1
            rest = body[at : min(line_end, at + MAX_VALUE)].strip()
            if (found and body[found - 1] != 0x0A) or rest not in (b"", b"--"):
                continue
            if start >= 0:
                pieces.append(_without_newline(body[start:found]))
                self._left -= 1
            start = -1 if rest else line_end
            at = line_end
            if rest:
                return pieces
        if start >= 0:
            pieces.append(body[start:])
            self.defects.append("a multipart without its end")
        return pieces

    def decoded(self, encoding: str, body: bytes) -> bytes:
        """The body without its transfer encoding; as it is when nobody knows that."""
        match encoding.strip().lower():
            case "base64":
                try:
                    return binascii.a2b_base64(body)
                except binascii.Error:
                    self.defects.append("broken base64")
                    return lenient_base64(body)
            case "quoted-printable":
                return binascii.a2b_qp(body)
            case _:
                return body


def _without_newline(piece: bytes) -> bytes:
    """The newline before a delimiter belongs to the delimiter."""
    return piece.removesuffix(b"\n").removesuffix(b"\r")


def token(value: str) -> str:
    """What stands before the parameters, lower case."""
    return value.partition(";")[0].strip().lower()


def filename(disposition: str, content_type: str) -> str:
    """The name of a part: from Content-Disposition, else from Content-Type (RFC 2183 section 2.3)."""
    return parameters(disposition).get("filename", "") or parameters(content_type).get("name", "")


class _Head:
    """The fields of a part that matter for its place and content, the first of each."""

    def __init__(self, block: bytes) -> None:
        self._values: dict[str, bytes] = {}
        for name, value in fields(block):
            if (lower := name.lower()) in _FIELDS:
                self._values.setdefault(lower, value)

    def get(self, name: str) -> str:
        return unfold(self._values.get(name, b""))
