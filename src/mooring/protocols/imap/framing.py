"""Where one response ends and the next begins: lines, and the literals inside them.

Every byte is looked at once, however the network cuts the stream. A literal that ends within the chunk it
began in is one slice; a longer one grows in a BytesIO, whose buffer becomes the value without a copy. A
literal beyond the limit is read and thrown away. Nothing is held between responses.
"""

import re
from io import BytesIO

from mooring.errors import RemoteProtocolError

MAX_LINE = 1024 * 1024
"""Bytes of one response outside its literals. Real lines stay far below, but for SEARCH."""

MAX_SEARCH_LINE = 16 * 1024 * 1024
"""Bytes of a SEARCH answer: about two million UIDs, spelt out one by one (RFC 3501 §7.2.5)."""

MAX_LITERALS = 1024 * 1024
"""Bytes of all literals of one response, while nobody has asked for message bodies."""

MAX_ANNOUNCED = 2**32
"""Bytes that a literal may claim to have (RFC 3501 §9: a 32-bit number); more is not worth draining."""

_LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}")
_NO_LITERALS = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)(?: |$)|[^*]", re.IGNORECASE)

Literals = dict[int, bytes | None]
_NONE: Literals = {}


class Response:
    """One response: its text, with a ``{`` where each literal was, and the literals by that position.

    A literal that was thrown away is None.
    """

    __slots__ = ("line", "literals")

    def __init__(self, line: bytes, literals: Literals = _NONE) -> None:
        self.line = line
        self.literals = literals

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.line) + sum(len(literal) for literal in self.literals.values() if literal)


class Framer:
    """Bytes in, responses out.

    Attributes:
        max_line, max_literals: bytes; see the constants. Set for what is about to be received.
    """

    __slots__ = (
        "_at",
        "_data",
        "_kept",
        "_literals",
        "_missing",
        "_partial",
        "_pieces",
        "_place",
        "_sink",
        "_text_size",
        "_wanted",
        "max_line",
        "max_literals",
    )

    def __init__(self) -> None:
        self.max_line = MAX_LINE
        self.max_literals = MAX_LITERALS
        self._data = b""
        self._at = 0
        self._clear()

    def receive_data(self, data: bytes) -> None:
        """Take in what the network gave. Call ``next_response`` until it has no more before feeding again."""
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def next_response(self) -> Response | None:
        """The next whole response, or None while bytes are missing.

        Raises:
            RemoteProtocolError: a line or an announced literal is longer than anything sensible.
        """
        while True:
            if self._missing >= 0 and not self._read_literal():
                return None
            line = self._read_line()
            if line is None:
                return None
            announced = self._announced(line)
            if announced is None:
                return self._finished(line)
            self._expect_literal(line, announced)

    def take_rest(self) -> bytes:
        """The bytes after the last response; they are no longer ours, such as the first of a compressed stream."""
        rest = self._data[self._at :]
        self._data, self._at = b"", 0
        self._clear()
        return rest

    @property
    def announced(self) -> int:
        """Bytes that the literals of the response under way hold or will hold, without those that are thrown away."""
        return self._kept

    @property
    def is_between_responses(self) -> bool:
        """Whether the connection could end here without cutting anything off."""
        return not (self._pieces or self._partial or self._missing >= 0)

    def _clear(self) -> None:
        self._pieces: list[bytes] | None = None
        self._partial: list[bytes] | None = None
        self._literals: Literals | None = None
        self._sink: BytesIO | None = None
        self._missing = -1
        self._wanted = True
        self._text_size = self._place = self._kept = 0

    def _read_line(self) -> bytes | None:
        """The text up to the next line end, without it."""
        data, at = self._data, self._at
        end = data.find(b"\n", at)
        self._text_size += (end if end >= 0 else len(data)) - at
        if self._text_size > self.max_line:
            raise RemoteProtocolError(f"the server sent a line of more than {self.max_line} bytes")
        if end < 0:
            if at < len(data):
                self._partial = self._partial or []
                self._partial.append(data[at:])
            self._data, self._at = b"", 0
            return None
        line = data[at:end]
        self._at = end + 1
        if self._partial:
            line = b"".join(self._partial) + line
            self._partial = None
        return line[:-1] if line.endswith(b"\r") else line

    def _announced(self, line: bytes) -> tuple[int, int] | None:
        """Where the announcement of a literal begins in this line, and how many bytes it promises."""
        if not line.endswith(b"}") or _NO_LITERALS.match(self._pieces[0] if self._pieces else line):
            return None
        begin = line.rfind(b"{")
        begin -= line[begin - 1 : begin] == b"~"
        found = _LITERAL.fullmatch(line, begin) if begin >= 0 else None
        return (begin, int(found[1])) if found else None

    def _expect_literal(self, line: bytes, announced: tuple[int, int]) -> None:
        begin, size = announced
        if size > MAX_ANNOUNCED:
            raise RemoteProtocolError(f"the server announced {size} bytes at once")
        self._pieces = self._pieces or []
        self._pieces.append(line[:begin] + b"{")
        self._place += begin + 1
        self._literals = {} if self._literals is None else self._literals
        self._wanted = self._kept + size <= self.max_literals
        self._kept += size if self._wanted else 0
        self._missing = size

    def _read_literal(self) -> bool:
        """Take what there is of the literal; True once it is whole."""
        data, at = self._data, self._at
        end = at + self._missing
        if end > len(data):
            if self._wanted and at < len(data):
                self._sink = self._sink or BytesIO()
                self._sink.write(memoryview(data)[at:])
            self._missing = end - len(data)
            self._data, self._at = b"", 0
            return False
        if not self._wanted:
            literal = None
        elif self._sink is None:
            literal = data[at:end]
        else:
            self._sink.write(memoryview(data)[at:end])
            literal = self._sink.getvalue()
            self._sink = None
        self._at = end
        self._missing = -1
        if self._literals is not None:
            self._literals[self._place - 1] = literal
        return True

    def _finished(self, line: bytes) -> Response:
        response = Response(line) if self._pieces is None else self._joined(self._pieces, line)
        self._text_size = 0
        if self._at >= len(self._data):
            self._data, self._at = b"", 0
        return response

    def _joined(self, pieces: list[bytes], line: bytes) -> Response:
        pieces.append(line)
        response = Response(b"".join(pieces), self._literals or _NONE)
        self._pieces = self._literals = None
        self._place = self._kept = 0
        return response
