"""Sets of UIDs, kept as ranges: ``1:4294967295`` costs as little as ``7``, whoever sends it."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mooring.errors import InvalidRequest, RemoteProtocolError

MAX_UID = 4_294_967_295
"""The highest UID there can be, 32 bits (RFC 9051 §2.3.1.1); as the end of a range it is written ``*``."""

MAX_SET_CHARS = 7_000
"""Characters of a set in one command; RFC 7162 §4 asks clients to keep lines under 8,192 octets."""

_SET = re.compile(r"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*")

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class UidSet:
    """UIDs in rising order, as disjoint ranges with both ends included.

    Iterating a set that a server sent can take very long: look at ``len`` first.
    """

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, uids: "UidSet | Iterable[int]") -> "UidSet":
        """The set of these numbers, in any order, with or without repetitions; a set is itself.

        Raises:
            InvalidRequest: a number is not a UID.
        """
        if isinstance(uids, UidSet):
            return uids
        ordered = sorted(set(uids))
        if ordered and not 1 <= ordered[0] <= ordered[-1] <= MAX_UID:
            raise InvalidRequest("a UID is a number from 1 to 4294967295")
        return cls(_joined((uid, uid) for uid in ordered))

    @classmethod
    def since(cls, first: int) -> "UidSet":
        """``first:*``, every UID from this one on."""
        if not 1 <= first <= MAX_UID:
            raise InvalidRequest("a UID is a number from 1 to 4294967295")
        return cls(((first, MAX_UID),))

    @classmethod
    def parse(cls, text: str) -> "UidSet":
        """What a server sent, such as ``41,43:116``; the empty text is the empty set.

        Raises:
            RemoteProtocolError: it is no set.
        """
        return cls(_joined(sorted(_ranges(text)))) if text else cls()

    @classmethod
    def union(cls, sets: Iterable["UidSet"]) -> "UidSet":
        """What is in any of them."""
        return cls(_joined(sorted(part for one in sets for part in one.ranges)))

    def __str__(self) -> str:
        return ",".join(map(_spelt, self.ranges))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self.ranges, (uid, MAX_UID + 1)) - 1
        return at >= 0 and uid <= self.ranges[at][1]

    def __or__(self, other: "UidSet") -> "UidSet":
        return UidSet.union((self, other))

    def without(self, uids: Iterable[int]) -> "UidSet":
        """What is left without these; it costs by how many they are, not by how much the set claims to hold."""
        holes, at = sorted(set(uids)), 0
        left: list[Range] = []
        for first, last in self.ranges:
            at = bisect_left(holes, first, at)
            while at < len(holes) and holes[at] <= last:
                if first < holes[at]:
                    left.append((first, holes[at] - 1))
                first = holes[at] + 1
                at += 1
            if first <= last:
                left.append((first, last))
        return UidSet(tuple(left))

    def highest(self, count: int) -> "UidSet":
        """So many of the highest, or all that there are."""
        found: list[Range] = []
        for first, last in reversed(self.ranges):
            if count <= 0:
                break
            found.append((max(first, last - count + 1), last))
            count -= last - first + 1
        return UidSet(tuple(reversed(found)))

    @property
    def is_open(self) -> bool:
        """Whether the set has no upper end."""
        return bool(self.ranges) and self.ranges[-1][1] == MAX_UID

    def batches(self, count: int = MAX_UID, chars: int = MAX_SET_CHARS) -> Iterator["UidSet"]:
        """The set in pieces of at most ``count`` UIDs whose text has at most about ``chars`` characters.

        An open range is one piece, since nobody knows how much it holds.
        """
        held: list[Range] = []
        size = width = 0
        for part in self._cut(count):
            length = 1 if part[1] == MAX_UID else part[1] - part[0] + 1
            spelt = len(_spelt(part)) + 1
            if held and (size + length > count or width + spelt > chars):
                yield UidSet(_joined(held))
                held, size, width = [], 0, 0
            held.append(part)
            size += length
            width += spelt
        if held:
            yield UidSet(_joined(held))

    def _cut(self, count: int) -> Iterator[Range]:
        """The ranges, none longer than ``count`` unless it is open; aligned so that batches come out full."""
        free = count
        for first, last in self.ranges:
            if last == MAX_UID:
                yield (first, last)
                return
            while first <= last:
                end = min(last, first + free - 1)
                yield (first, end)
                free -= end - first + 1
                free = free or count
                first = end + 1


ALL = UidSet.since(1)
"""``1:*``."""


def in_order(text: str, limit: int) -> list[int] | None:
    """The UIDs in the order they were written, as COPYUID pairs them; None when there are more than ``limit``.

    Source: RFC 4315 §3.
    """
    uids: list[int] = []
    for first, last in _ranges(text):
        if len(uids) + last - first + 1 > limit:
            return None
        uids.extend(range(first, last + 1))
    return uids


def _ranges(text: str) -> list[Range]:
    if not _SET.fullmatch(text):
        raise RemoteProtocolError("the server sent a set of numbers that cannot be read")
    ranges: list[Range] = []
    for part in text.split(","):
        one, _, two = part.partition(":")
        ends = (_number(one), _number(two or one))
        ranges.append((min(ends), max(ends)))
    return ranges


def _number(text: str) -> int:
    number = MAX_UID if text == "*" else int(text)
    if not 1 <= number <= MAX_UID:
        raise RemoteProtocolError("the server sent a UID out of range")
    return number


def _spelt(part: Range) -> str:
    first, last = part
    if last == MAX_UID:
        return f"{first}:*"
    return str(first) if first == last else f"{first}:{last}"


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Neighbouring and overlapping ranges made one; they must come in rising order of their beginnings."""
    joined: list[Range] = []
    first = last = -1
    for begin, end in ranges:
        if begin <= last + 1 and first >= 0:
            last = max(last, end)
            continue
        if first >= 0:
            joined.append((first, last))
        first, last = begin, end
    if first >= 0:
        joined.append((first, last))
    return tuple(joined)
