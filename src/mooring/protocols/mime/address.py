"""Address lists as they are, not as the grammar wants them."""

import re

from mooring.protocols.mime.charset import clean
from mooring.protocols.mime.header import words
from mooring.protocols.mime.types import Address

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|<[^<>]*+>?|\[[^\[\]]*+\]?|[(),;:]|[^"<>\[(),;:]+|.', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_STRAY = str.maketrans("", "", '"()')


def addresses(value: str) -> list[Address]:
    """The mailboxes of an unfolded address header; groups are flattened, comments serve as names.

    A value that only makes sense without its stray quotes or brackets is read without them. A lone word
    counts as an address without a domain, as local mail has it.

    Source: RFC 5322 section 3.4 and 4.4; RFC 2047 section 5.
    """
    reader = _Reader()
    if not reader.read(value):
        reader = _Reader()
        reader.read(value.translate(_STRAY))
    return reader.found


class _Reader:
    """One pass over one value, an item at a time."""

    def __init__(self) -> None:
        self.found: list[Address] = []
        self._text: list[str] = []
        self._comment: list[str] = []
        self._angle: str | None = None
        self._before = ""
        self._depth = 0

    def read(self, value: str) -> bool:
        """Collect the addresses; False when a quote or a comment stays open."""
        for match in _TOKEN.finditer(value):
            found = match[0]
            if found == "(":
                self._depth += 1
            elif found == ")":
                self._depth = max(0, self._depth - 1)
            elif self._depth:
                self._comment.append(found)
            elif not self._take(found):
                return False
        self._flush()
        return self._depth == 0

    def _take(self, token: str) -> bool:
        match token[0]:
            case '"' if len(token) < 2 or token[-1] != '"':
                return False
            case "<":
                self._angle = token
            case ",":
                self._flush(comma=True)
            case ";":
                self._flush()
            case ":" if self._angle is None:
                self._text.clear()
            case _:
                self._text.append(token)
        return True

    def _flush(self, *, comma: bool = False) -> None:
        tokens, comment, angle, before = self._text, _display(self._comment), self._angle, self._before
        self._text, self._comment, self._angle, self._before = [], [], None, ""
        if angle is not None:
            # An unquoted comma in a name: "Doe, John <john@example.com>".
            name = ", ".join(part for part in (before, _display(tokens)) if part) or comment
            email = _spec(angle)
            if name or email:
                self.found.append(Address(name, email))
            return
        if before:
            self.found.append(_bare([before], ""))
        if comma and not any("@" in token for token in tokens):
            self._before = _display(tokens)
        elif "".join(tokens).strip():
            self.found.append(_bare(tokens, comment))


def _bare(tokens: list[str], comment: str) -> Address:
    """An item without angle brackets: ``a@b``, ``John a@b``, ``root``, or only a name."""
    text = "".join(tokens).strip()
    atoms = text.split()
    if len(atoms) == 1 or (text.startswith('"') and '"@' in text):
        return Address(comment, _spec(text))
    for i, atom in enumerate(atoms):
        if "@" in atom:
            return Address(_display([" ".join(atoms[:i] + atoms[i + 1 :])]) or comment, _spec(atom))
    return Address(_display(tokens), "")


def _display(tokens: list[str]) -> str:
    """A name without its quotes, decoded, its white space folded."""
    plain = "".join(_QUOTED_PAIR.sub(r"\1", token[1:-1]) if token[0] == '"' else token for token in tokens)
    return clean(" ".join(words(plain).split()))


def _spec(text: str) -> str:
    """An address without brackets, white space and obsolete route."""
    email = text.strip("<> \t")
    if not email.startswith('"'):
        email = "".join(email.split())
    if email.startswith("@") and ":" in email:
        email = email.partition(":")[2]
    return clean(email[7:] if email[:7].lower() == "mailto:" else email)
