"""How sets of UIDs are spelt: ``41,43:116``, or number by number, and in what pieces a long text of them is read."""

import re
from collections.abc import Iterator

from mooring.errors import RemoteProtocolError

MAX_UID = 4_294_967_295
"""The highest UID there can be, 32 bits (RFC 9051 §2.3.1.1); as the end of a range it is written ``*``."""

_SLICE = 16 * 1024
"""Characters that are read in one step; it takes at most about 2 ms (measured)."""

_SET = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*")

Range = tuple[int, int]


def in_order(text: str, limit: int) -> list[int] | None:
    """The UIDs in the order they were written, as COPYUID pairs them; None when there are more than ``limit``.

    Source: RFC 4315 §3.
    """
    uids: list[int] = []
    for first, last in read_ranges(encoded(text)):
        if len(uids) + last - first + 1 > limit:
            return None
        uids.extend(range(first, last + 1))
    return uids


def encoded(text: str) -> bytes:
    """The text as a server spells sets; what is not ASCII becomes something that cannot be read."""
    return text.encode("ascii", "replace")


def slices(text: bytes, separator: bytes) -> Iterator[bytes]:
    """The text in pieces of a size that is quickly read, cut at separators, which are left out."""
    begin = 0
    while len(text) - begin > _SLICE and (cut := text.find(separator, begin + _SLICE)) >= 0:
        yield text[begin:cut]
        begin = cut + 1
    yield text[begin:]


def read_ranges(text: bytes) -> list[Range]:
    """The ranges of a set, in the order they were written. Raises: RemoteProtocolError."""
    if not _SET.fullmatch(text):
        raise RemoteProtocolError("the server sent a set of numbers that cannot be read")
    ranges: list[Range] = []
    for part in text.split(b","):
        one, _, two = part.partition(b":")
        ends = (_number(one), _number(two or one))
        ranges.append((min(ends), max(ends)))
    return ranges


def read_numbers(text: bytes) -> list[int]:
    """The UIDs among these numbers, in rising order. Raises: RemoteProtocolError: something is no number."""
    words = text.split()
    if not all(word.isdigit() and len(word) <= 10 for word in words):
        raise RemoteProtocolError("the server's search result holds something other than numbers")
    return sorted(uid for uid in map(int, words) if 1 <= uid <= MAX_UID)


def _number(text: bytes) -> int:
    number = MAX_UID if text == b"*" else int(text)
    if not 1 <= number <= MAX_UID:
        raise RemoteProtocolError("the server sent a UID out of range")
    return number


def spelt(first: int, last: int) -> str:
    """The range as it is written."""
    if last == MAX_UID:
        return f"{first}:*"
    return str(first) if first == last else f"{first}:{last}"
