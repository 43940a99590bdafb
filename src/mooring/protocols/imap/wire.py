"""Reading the grammar: a cursor over one response (RFC 9051 §4, §9), lenient where servers are sloppy.

It demands no more space between two values than it needs to tell them apart, takes an atom wherever a
string is due, and never recurses.
"""

import re
from functools import lru_cache
from typing import NoReturn

from mooring.errors import RemoteProtocolError
from mooring.protocols.imap.framing import Response
from mooring.protocols.imap.names import decode_mailbox, readable
from mooring.protocols.imap.types import Attribute, Flag

_SPACES = re.compile(rb" *")
_NUMBER = re.compile(rb" *(\d{1,20})")
_WORD = re.compile(rb" *([^\s()\"]+)")
_QUOTED = re.compile(rb' *"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NIL = re.compile(rb" *NIL(?=[\s()]|$)", re.IGNORECASE)
_LIST = re.compile(rb" *\(([^()\"{]*)\)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MAX_NUMBER = 2**63 - 1
_SHARED = 2_000
"""Bytes of a list that is worth remembering; a longer one is somebody's attempt to fill our memory."""

_EXCERPT = 60
"""Bytes of the server's text that an error quotes."""

_SPELLING = {word.casefold(): str(word) for word in (*Flag, *Attribute)}


def flag_set(words: bytes) -> frozenset[str]:
    """Flags or attributes, in the standard's spelling where they are the standard's.

    Equal ones are one object, since a mailbox has few combinations and many messages.
    """
    return _shared_flags(words) if len(words) <= _SHARED else _flags(words)


def capability_set(words: bytes) -> frozenset[str]:
    """Capability names in capitals; equal ones are one object, since all connections to a server share them."""
    return _shared_capabilities(words) if len(words) <= _SHARED else _capabilities(words)


def _flags(words: bytes) -> frozenset[str]:
    texts = (readable(word) for word in words.split())
    return frozenset(_SPELLING.get(text.casefold(), text) for text in texts)


def _capabilities(words: bytes) -> frozenset[str]:
    return frozenset(readable(word).upper() for word in words.split())


_shared_flags = lru_cache(maxsize=4096)(_flags)
_shared_capabilities = lru_cache(maxsize=1024)(_capabilities)


def bounded(digits: bytes) -> int:
    """A number that fits into 63 bits, as every counter of the standard does (RFC 9051 §9, number64)."""
    number = int(digits) if len(digits) <= 20 else _MAX_NUMBER + 1
    if number > _MAX_NUMBER:
        raise RemoteProtocolError("the server sent a number of more than 63 bits")
    return number


class Cursor:
    """A position in a response. Every method moves past what it returns, or raises RemoteProtocolError."""

    __slots__ = ("_line", "_literals", "_pos", "_utf8")

    def __init__(self, response: Response, start: int = 0, *, utf8: bool = False) -> None:
        """
        Args:
            utf8: whether mailbox names come as UTF-8.
        """
        self._line = response.line
        self._literals = response.literals
        self._pos = start
        self._utf8 = utf8

    def fail(self, wanted: str) -> NoReturn:
        """Say what should have been here."""
        found = readable(self._line[self._pos : self._pos + _EXCERPT])
        raise RemoteProtocolError(f"the server sent {found!r} where {wanted} should be")

    def is_at(self, mark: bytes) -> bool:
        """Whether this comes next, after any spaces."""
        return self._line.startswith(mark, self._end_of_spaces())

    def is_at_end(self) -> bool:
        return self._end_of_spaces() >= len(self._line)

    def expect(self, mark: bytes) -> None:
        if not self.is_at(mark):
            self.fail(readable(mark))
        self._pos = self._end_of_spaces() + len(mark)

    def accept(self, mark: bytes) -> bool:
        """Move past this if it comes next."""
        at = self.is_at(mark)
        if at:
            self.expect(mark)
        return at

    def number(self) -> int:
        return bounded(self.match(_NUMBER, "a number")[1])

    def word(self) -> bytes:
        """An atom, in the loosest sense: up to a space, a bracket, a quote or a literal."""
        return self.match(_WORD, "a word")[1]

    def long_word(self) -> bytes:
        """All up to the next space: quick, even for a word of megabytes."""
        begin = self._end_of_spaces()
        end = self._line.find(b" ", begin)
        self._pos = end if end >= 0 else len(self._line)
        return self._line[begin : self._pos]

    def rest(self) -> bytes:
        """All that is left of the text."""
        rest = self._line[self._pos :]
        self._pos = len(self._line)
        return rest

    def words(self) -> bytes:
        """What is between the brackets of a flat list."""
        if self.accept_nil():
            return b""
        return self.match(_LIST, "a list")[1]

    def accept_nil(self) -> bool:
        found = _NIL.match(self._line, self._pos)
        if found:
            self._pos = found.end()
        return found is not None

    def string(self) -> bytes:
        """A quoted string, a literal, or an atom that stands for one."""
        if self._at_literal():
            literal = self.literal()
            return self.fail("a literal of a sensible size") if literal is None else literal
        quoted = _QUOTED.match(self._line, self._pos)
        if quoted is None:
            return self.word()
        self._pos = quoted.end()
        return _ESCAPED.sub(rb"\1", quoted[1]) if b"\\" in quoted[1] else quoted[1]

    def nullable_string(self) -> bytes | None:
        return None if self.accept_nil() else self.string()

    def mailbox(self) -> tuple[str, bytes]:
        """A mailbox name as text, and as the server spells it."""
        wire = self.string()
        return decode_mailbox(wire, utf8=self._utf8), wire

    def literal(self) -> bytes | None:
        """The literal that is here; None when it was too large to keep."""
        at = self._end_of_spaces()
        if at not in self._literals:
            self.fail("a literal")
        self._pos = at + 1
        return self._literals[at]

    def body(self) -> tuple[bytes | None, bool]:
        """A string of any size or NIL, and whether it was too large to keep."""
        if self._at_literal():
            literal = self.literal()
            return literal, literal is None
        return self.nullable_string(), False

    def skip_value(self) -> None:
        """Move past one value of any kind, with all that is nested in it."""
        depth = 0
        while True:
            if self.accept(b"("):
                depth += 1
            elif self.accept(b")"):
                depth -= 1
            elif self._at_literal():
                self.literal()
            else:
                self.string()
            if depth <= 0:
                return

    def match(self, pattern: re.Pattern[bytes], wanted: str) -> re.Match[bytes]:
        """What this pattern finds here."""
        found = pattern.match(self._line, self._pos)
        if found is None:
            self.fail(wanted)
        self._pos = found.end()
        return found

    def _at_literal(self) -> bool:
        return self._end_of_spaces() in self._literals

    def _end_of_spaces(self) -> int:
        found = _SPACES.match(self._line, self._pos)
        return found.end() if found else self._pos
