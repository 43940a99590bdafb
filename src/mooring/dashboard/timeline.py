"""A picture of connections: time from left to right, a lane for each of our addresses. Pure; a template draws it.

Places along the time are per cent, so that the picture is as wide as there is room and its words keep their size.
Static and dynamic lanes differ by pattern and by word, not by colour alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mooring.config import Kind
from mooring.egress import LedgerEntry, Outcome

LANE_PX = 54
TOP_PX = 4
AXIS_PX = 26
SHORTEST = timedelta(minutes=1)
"""What the picture spans at least: a single connection is no moment without a before and after."""
NO_ADDRESS = "no address"
"""Where no source could be chosen."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One connection.

    Attributes:
        shape: ``bar`` (connected), ``cross`` (failed), ``ring`` (not dialled, or only known to be meant).
        left, width: per cent of the picture's width.
        ended: whether its end is known; else it is drawn open, up to now.
        words: what it was, in a sentence.
    """

    shape: str
    left: float
    width: float
    ended: bool
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything that left by one address in one kind of environment.

    Attributes:
        top: pixels from the picture's top.
    """

    label: str
    kind: str
    top: int
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole picture.

    Attributes:
        height: pixels.
        begins, ends: what it spans.
        description: what it shows, for who does not see it.
    """

    lanes: Sequence[Lane]
    height: int
    begins: datetime
    ends: datetime
    description: str

    @property
    def middle(self) -> datetime:
        return self.begins + (self.ends - self.begins) / 2


def timeline(entries: Sequence[LedgerEntry], now: datetime) -> Timeline | None:
    """The picture of these connections; None when there are none."""
    if not entries:
        return None
    ends = max(now, *(entry.at for entry in entries))
    begins = min(min(entry.at for entry in entries), ends - SHORTEST)
    grouped: dict[tuple[bool, bool, str, str], list[LedgerEntry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        kind = entry.environment.rpartition("-")[2]
        place = (not entry.source_address, kind != Kind.STATIC, kind, entry.source_address)
        grouped.setdefault(place, []).append(entry)
    lanes = [
        Lane(
            label=address or NO_ADDRESS,
            kind=kind,
            top=TOP_PX + number * LANE_PX,
            marks=[_mark(entry, begins, ends) for entry in group],
        )
        for number, ((_, _, kind, address), group) in enumerate(sorted(grouped.items()))
    ]
    return Timeline(
        lanes=lanes,
        height=TOP_PX + len(lanes) * LANE_PX + AXIS_PX,
        begins=begins,
        ends=ends,
        description=_description(entries, lanes, begins, ends),
    )


def _mark(entry: LedgerEntry, begins: datetime, ends: datetime) -> Mark:
    span_s = (ends - begins).total_seconds()
    left = 100 * (entry.at - begins).total_seconds() / span_s
    until = min(entry.closed_at or ends, ends)
    match Outcome(entry.outcome):
        case Outcome.OPENED:
            shape, width = "bar", max(100 * (until - entry.at).total_seconds() / span_s, 0.0)
        case Outcome.FAILED:
            shape, width = "cross", 0.0
        case Outcome.NOT_DIALLED | Outcome.INTENDED:
            shape, width = "ring", 0.0
    return Mark(shape, round(left, 3), round(width, 3), entry.closed_at is not None, _words(entry))


def _words(entry: LedgerEntry) -> str:
    until = f" to {_clock(entry.closed_at)}" if entry.closed_at else ""
    became = " ".join(word.replace("_", " ") for word in (entry.outcome, entry.phase, entry.cause) if word)
    return f"{_clock(entry.at)}{until}, {entry.traffic} to {entry.host}:{entry.port}: {became}"


def _description(entries: Sequence[LedgerEntry], lanes: Sequence[Lane], begins: datetime, ends: datetime) -> str:
    told = [f"From {_clock(begins)} to {_clock(ends)} UTC: {_count(len(entries), 'connection')}."]
    for lane in lanes:
        failed = sum(mark.shape != "bar" for mark in lane.marks)
        not_made = f", {failed} of them not made" if failed else ""
        told.append(f"From {lane.label}, {lane.kind}: {_count(len(lane.marks), 'connection')}{not_made}.")
    return " ".join(told)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
