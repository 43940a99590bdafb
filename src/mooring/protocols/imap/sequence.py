"""Sets of UIDs, kept as ranges: ``1:4294967295`` costs as little as ``7``, whoever sends it.

A scattered set of a large mailbox has hundreds of thousands of ranges. So their ends lie in two arrays, eight bytes
a range, and whatever takes long with them can be done in steps.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice

from mooring.errors import InvalidRequest
from mooring.protocols.imap.spelling import MAX_UID, Range, encoded, read_numbers, read_ranges, slices, spelt
from mooring.steps import Steps, at_once

MAX_SET_CHARS = 7_000
"""Characters of a set in one command; RFC 7162 §4 asks clients to keep lines under 8,192 octets."""

_STEP = 2048
"""Ranges that are gone through in one step; at most about 2 ms, too."""


def _no_ends() -> "array[int]":
    return array("I")


@dataclass(frozen=True, slots=True)
class UidSet:
    """UIDs in rising order, as disjoint ranges with both ends included.

    Iterating a set that a server sent can take very long: look at ``len`` first.

    Attributes:
        firsts, lasts: the lower and the upper ends of the ranges.
    """

    firsts: "array[int]" = field(default_factory=_no_ends)
    lasts: "array[int]" = field(default_factory=_no_ends)

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
        return _joined((uid, uid) for uid in ordered)

    @classmethod
    def between(cls, first: int, last: int) -> "UidSet":
        """``first:last``, both included.

        Raises:
            InvalidRequest: an end is not a UID.
        """
        if not 1 <= first <= last <= MAX_UID:
            raise InvalidRequest("a UID is a number from 1 to 4294967295")
        return cls(array("I", [first]), array("I", [last]))

    @classmethod
    def since(cls, first: int) -> "UidSet":
        """``first:*``, every UID from this one on."""
        return cls.between(first, MAX_UID)

    @classmethod
    def parse(cls, text: str) -> "UidSet":
        """What a server sent, such as ``41,43:116``; the empty text is the empty set.

        Raises:
            RemoteProtocolError: it is no set.
        """
        return at_once(cls.reading(encoded(text)))

    @classmethod
    def reading(cls, text: bytes) -> "Steps[UidSet]":
        """``parse`` in steps."""
        return cls.joining(_joined(sorted(read_ranges(part))) for part in slices(text, b",") if text)

    @classmethod
    def reading_numbers(cls, text: bytes) -> "Steps[UidSet]":
        """What SEARCH answered, in steps: numbers in any order, of which 0 and those of more than 32 bits are none.

        Raises:
            RemoteProtocolError: there is something else among them.
        """
        return cls.joining(_joined((uid, uid) for uid in read_numbers(part)) for part in slices(text, b" "))

    @classmethod
    def union(cls, sets: Iterable["UidSet"]) -> "UidSet":
        """What is in any of them."""
        return at_once(cls.joining(sets))

    @classmethod
    def joining(cls, sets: Iterable["UidSet"]) -> "Steps[UidSet]":
        """``union`` in steps, of which there are few while each set begins behind the one before."""
        joined, scattered = cls(), list[UidSet]()
        for one in sets:
            if one and one.firsts[0] > joined.top:
                joined._append(one)
            elif one:
                scattered.append(one)
            yield
        if not scattered:
            return joined
        ordered = merge(*(zip(one.firsts, one.lasts, strict=True) for one in (joined, *scattered)))
        found = cls()
        while part := _joined(islice(ordered, _STEP)):
            found._extend(part)
            yield
        return found

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The ranges, one by one."""
        return tuple(zip(self.firsts, self.lasts, strict=True))

    def __str__(self) -> str:
        return ",".join(map(spelt, self.firsts, self.lasts))

    def __len__(self) -> int:
        return at_once(self.counting())

    def counting(self) -> Steps[int]:
        """``len`` in steps."""
        count = len(self.firsts)
        for at in range(0, count, _STEP):
            count += sum(self.lasts[at : at + _STEP]) - sum(self.firsts[at : at + _STEP])
            yield
        return count

    def __bool__(self) -> bool:
        return bool(self.firsts)

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self.firsts, self.lasts, strict=True):
            yield from range(first, last + 1)

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self.firsts, uid) - 1
        return at >= 0 and uid <= self.lasts[at]

    def __or__(self, other: "UidSet") -> "UidSet":
        return UidSet.union((self, other))

    @property
    def top(self) -> int:
        """The highest of them, or 0."""
        return self.lasts[-1] if self.lasts else 0

    @property
    def bottom(self) -> int:
        """The lowest of them, or 0."""
        return self.firsts[0] if self.firsts else 0

    def first_from(self, uid: int) -> int:
        """The lowest of them that is not below this one, or 0."""
        at = bisect_left(self.lasts, uid)
        return max(uid, self.firsts[at]) if at < len(self.firsts) else 0

    def without(self, uids: Iterable[int]) -> "UidSet":
        """What is left without these; it costs by how many they are, not by how much the set claims to hold."""
        return at_once(self.leaving_out(sorted(uids)))

    def leaving_out(self, uids: Iterable[int]) -> "Steps[UidSet]":
        """``without`` in steps; the UIDs must come in rising order."""
        left = UidSet()
        at, begin = 0, self.firsts[0] if self else 0
        for number, hole in enumerate(uids):
            if number % _STEP == _STEP - 1:
                yield
            # Ranges before the one that may hold it stay whole, but for where `begin` has cut the first of them.
            found = bisect_right(self.firsts, hole, at) - 1
            if found < at or hole > self.lasts[found]:
                continue
            if found > at:
                left._add(begin, self.lasts[at])
                left._append(self, at + 1, found)
                at, begin = found, self.firsts[found]
            left._add(begin, hole - 1)
            begin = hole + 1
        if self:
            left._add(begin, self.lasts[at])
            left._append(self, at + 1)
        return left

    def highest(self, count: int) -> "UidSet":
        """So many of the highest, or all that there are."""
        return self.split(count)[1]

    def split(self, count: int) -> tuple["UidSet", "UidSet"]:
        """All but so many of the highest, and those."""
        at = len(self.firsts)
        while at > 0 and count > 0:
            at -= 1
            count -= self.lasts[at] - self.firsts[at] + 1
        low, high = UidSet(self.firsts[:at], self.lasts[:at]), UidSet(self.firsts[at:], self.lasts[at:])
        if count < 0:
            # The lowest range that was reached has more than were wanted.
            cut = high.firsts[0] - count
            low.firsts.append(high.firsts[0])
            low.lasts.append(cut - 1)
            high.firsts[0] = cut
        return low, high

    def parted_at(self, uid: int) -> tuple["UidSet", "UidSet"]:
        """Those below this one, and the others."""
        at = bisect_left(self.lasts, uid)
        low, high = UidSet(self.firsts[:at], self.lasts[:at]), UidSet(self.firsts[at:], self.lasts[at:])
        if high and high.firsts[0] < uid:
            low._add(high.firsts[0], uid - 1)
            high.firsts[0] = uid
        return low, high

    @property
    def is_open(self) -> bool:
        """Whether the set has no upper end."""
        return self.top == MAX_UID

    def batches(self, count: int = MAX_UID, chars: int = MAX_SET_CHARS) -> Iterator["UidSet"]:
        """The set in pieces of at most ``count`` UIDs whose text has at most about ``chars`` characters.

        An open range is one piece, since nobody knows how much it holds.
        """
        held: list[Range] = []
        size = width = 0
        for part in self._cut(count):
            length = 1 if part[1] == MAX_UID else part[1] - part[0] + 1
            room = len(spelt(*part)) + 1
            if held and (size + length > count or width + room > chars):
                yield _joined(held)
                held, size, width = [], 0, 0
            held.append(part)
            size += length
            width += room
        if held:
            yield _joined(held)

    def batches_from_the_top(self, count: int) -> Iterator["UidSet"]:
        """As ``batches``, the highest UIDs first; for a set that has an upper end."""
        held: list[Range] = []
        room = count
        for at in range(len(self.firsts) - 1, -1, -1):
            first, last = self.firsts[at], self.lasts[at]
            while first <= last:
                begin = max(first, last - room + 1)
                held.append((begin, last))
                room -= last - begin + 1
                last = begin - 1
                if not room:
                    yield from reversed(list(_joined(reversed(held)).batches(count)))
                    held, room = [], count
        if held:
            yield from reversed(list(_joined(reversed(held)).batches(count)))

    def _cut(self, count: int) -> Iterator[Range]:
        """The ranges, none longer than ``count`` unless it is open; aligned so that batches come out full."""
        free = count
        for first, last in zip(self.firsts, self.lasts, strict=True):
            if last == MAX_UID:
                yield (first, last)
                return
            while first <= last:
                end = min(last, first + free - 1)
                yield (first, end)
                free -= end - first + 1
                free = free or count
                first = end + 1

    def _add(self, first: int, last: int) -> None:
        """One more range, behind all others; it may be empty."""
        if first <= last:
            self.firsts.append(first)
            self.lasts.append(last)

    def _append(self, other: "UidSet", start: int = 0, end: int | None = None) -> None:
        """These ranges of another set, all of them behind ours."""
        firsts, lasts = other.firsts[start:end], other.lasts[start:end]
        if self and firsts and firsts[0] == self.lasts[-1] + 1:
            self.lasts[-1] = lasts[0]
            firsts, lasts = firsts[1:], lasts[1:]
        self.firsts.extend(firsts)
        self.lasts.extend(lasts)

    def _extend(self, other: "UidSet") -> None:
        """The same of a set that begins no earlier than our last range does."""
        at = bisect_right(other.lasts, self.top)
        if at < len(other.firsts) and self and other.firsts[at] <= self.top + 1:
            self.lasts[-1] = other.lasts[at]
            at += 1
        self._append(other, at)


ALL = UidSet.since(1)
"""``1:*``."""


def _joined(ranges: Iterable[Range]) -> UidSet:
    """Neighbouring and overlapping ranges made one; they must come in rising order of their beginnings."""
    joined = UidSet()
    firsts, lasts = joined.firsts, joined.lasts
    end = -1
    for first, last in ranges:
        if first > end + 1 or end < 0:
            firsts.append(first)
            lasts.append(last)
            end = last
        elif last > end:
            lasts[-1] = end = last
    return joined
