"""The long texts of a JSON body, set aside before it is decoded: attachments in base64, and the HTML of a message.

The decoder takes a body in one piece, and nobody else gets a turn while it does: 34 MB of base64 take 20 ms, 25 MB
of HTML 70. So a long text leaves a word in its place, and is read by itself, a window at a time; the rest is small.
"""

import binascii
import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar, cast

import msgspec

from mooring.errors import InvalidRequest
from mooring.large import WINDOW, windows

T = TypeVar("T")

LONG = 4096
"""Bytes above which a text is set aside."""

_TO_QUOTE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The inside of a string, up to its closing quote."""

_WHOLE = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
"""Letters and escapes that are whole, surrogate pairs included: behind them a string may be cut."""

_BLANKS = b" \t\r\n\v\f"

_string = msgspec.json.Decoder(str)


class LongTexts:
    """A body and the long texts in it.

    Attributes:
        rest: the body with a word in place of each.
    """

    def __init__(self, body: bytes, spans: list[tuple[int, int]]) -> None:
        # A word that no caller can guess, so that no text of theirs is taken for one.
        mark = secrets.token_hex(16) if spans else ""
        self._body = body
        self._spans = {f"{mark}.{number}": span for number, span in enumerate(spans)}
        kept: list[bytes] = []
        at = 0
        for word, (start, end) in self._spans.items():
            kept += (body[at:start], word.encode())
            at = end
        self.rest = b"".join([*kept, body[at:]])

    @classmethod
    def of(cls, body: bytes, most: int) -> Self | None:
        """The long texts of this body; None where the rest is more than ``most`` bytes.

        What is not JSON stays as it is, for the decoder to say so.
        """
        spans: list[tuple[int, int]] = []
        at = aside = 0
        while (opening := body.find(b'"', at)) >= 0 and (closing := _closing(body, opening + 1)) >= 0:
            if closing - opening > LONG:
                spans.append((opening + 1, closing))
                aside += closing - opening - 1
            at = closing + 1
            if at - aside > most:
                return None
        return cls(body, spans) if len(body) - aside <= most else None

    def restored(self, value: T) -> T:
        """The value with its long texts in their places; structs, lists and dicts are changed as they are.

        Raises:
            InvalidRequest: one of them holds a NUL character.
            msgspec.DecodeError, UnicodeDecodeError: one of them is no text.
        """
        return cast("T", self._restored(value)) if self._spans else value

    def base64(self, value: str) -> bytes:
        """The bytes that a text, long or not, stands for.

        Raises:
            ValueError: it is not base64, or no text.
        """
        span = self._spans.get(value)
        if span is None:
            return from_base64([value.encode()])
        if self._body.find(b"\\", *span) >= 0:
            return from_base64(piece.encode() for piece in self._pieces(*span))
        first, size = span[0], span[1] - span[0]
        return from_base64(self._body[first + start : first + end] for start, end in windows(size))

    def _restored(self, value: object) -> object:
        match value:
            case str():
                span = self._spans.get(value)
                return "".join(self._pieces(*span)) if span else value
            case list():
                items = cast("list[object]", value)
                items[:] = [self._restored(item) for item in items]
                return items
            case dict():
                entries = cast("dict[object, object]", value)
                entries |= {key: self._restored(item) for key, item in entries.items()}
                return entries
            case msgspec.Struct():
                for name in value.__struct_fields__:
                    setattr(value, name, self._restored(getattr(value, name)))
                return value
            case _:
                return value

    def _pieces(self, start: int, last: int) -> Iterator[str]:
        """The text between these places, decoded by windows."""
        while start < last:
            end = _cut(self._body, start, last)
            piece = _string.decode(b"".join((b'"', self._body[start:end], b'"')))
            if "\x00" in piece:
                raise InvalidRequest("A text of the request body holds a NUL character, which no mail can keep.")
            yield piece
            start = end


def from_base64(pieces: Iterable[bytes]) -> bytes:
    """The bytes of a text in pieces; blanks and line ends are passed over.

    Raises:
        ValueError: it is not base64 (RFC 4648 §4), padded at its end.
    """
    decoded: list[bytes] = []
    rest = b""
    for piece in pieces:
        if rest or len(piece) % 4 or any(blank in piece for blank in _BLANKS):
            piece = rest + piece.translate(None, _BLANKS)
        whole = len(piece) - len(piece) % 4
        if piece and decoded and len(decoded[-1]) % 3:
            raise ValueError("something follows the padding")
        rest = piece[whole:]
        if whole:
            decoded.append(binascii.a2b_base64(piece[:whole], strict_mode=True))
    if rest:
        raise ValueError("the end is missing")
    return b"".join(decoded)


def _closing(body: bytes, start: int) -> int:
    """Where the string ends that begins at ``start``; -1 where it does not."""
    quote = body.find(b'"', start)
    if quote < 0 or body[quote - 1 : quote] != b"\\":
        return quote
    while start < len(body):
        found = _TO_QUOTE.match(body, start, start + WINDOW)
        end = found.end() if found else start
        if body[end : end + 1] == b'"':
            return end
        if end == start:
            break
        start = end
    return -1


def _cut(body: bytes, start: int, last: int) -> int:
    """Where a piece that begins at ``start`` may end: a window further, or at ``last`` where that cannot be told."""
    if last - start <= WINDOW:
        return last
    found = _WHOLE.match(body, start, start + WINDOW)
    end = found.end() if found else start
    while end > start and body[end] & 0xC0 == 0x80:  # within a letter of UTF-8
        end -= 1
    return end if end > start else last
