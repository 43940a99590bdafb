"""Occurrences within a window: bounded in number, in time and in memory, whatever the rule says."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import cast

import icalendar
from icalendar.prop import vDDDLists, vDDDTypes, vInt, vRecur
from recurring_ical_events import CalendarQuery  # pyright: ignore[reportMissingTypeStubs]

from mooring.protocols.ical.event import Placed, place, when
from mooring.protocols.ical.rules import objection
from mooring.protocols.ical.types import Datespan, Day, ParsedEvent, Timespan
from mooring.protocols.ical.values import stamp, unix

MAX_OCCURRENCES = 1_000  # of one object in one window; the earliest are kept
MAX_WINDOW = timedelta(days=3_660)  # ten years; a longer window is cut
_MAX_LOOKED_AT = 20_000  # occurrences of one object that are looked at before the earliest are chosen; a second of work
_MAX_REFUSED = 5  # rules that may turn out absurd, which can take half a second each; later ones are refused unseen
_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_LAST = datetime(9000, 1, 1, tzinfo=UTC)
_DAY = 86_400  # seconds
_INDEX = "X-INDEX"


def expand(ics: bytes | str, start: int, end: int) -> list[ParsedEvent]:
    """Everything of an object that happens within [start, end), in order; recurring events as their occurrences.

    A rule that is absurd (every second, never, too long) is not expanded: its event appears once, with a defect.
    Days are taken as days in UTC.

    Args:
        start, end: unix seconds; at most MAX_WINDOW apart.
    """
    window = _window(start, end)
    series: dict[str, list[Placed]] = {}
    for number, placed in enumerate(place(ics)):
        if placed.start is not None:
            series.setdefault(placed.event.uid or f"\n{number}", []).append(placed)
    expansion = _Expansion(*window)
    found = [event for members in series.values() for event in expansion.of(members)]
    found = [event for event in found if _overlaps(event, *window)]
    found.sort(key=_beginning)
    return found[:MAX_OCCURRENCES]


def _window(start: int, end: int) -> tuple[datetime, datetime]:
    first, last = unix(_FIRST), unix(_LAST)
    begin = datetime.fromtimestamp(min(max(start, first), last), UTC)
    finish = datetime.fromtimestamp(min(max(end, first), last), UTC)
    return begin, max(begin, min(finish, begin + MAX_WINDOW))


class _Expansion:
    """The work on one object, with what it may still cost."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start = start
        self._end = end
        self._refused = 0
        self._looked_at = 0

    def of(self, members: list[Placed]) -> list[ParsedEvent]:
        """The events of one series: its occurrences, or what there is when nothing recurs."""
        if not any(one.event.rrule or one.rdates or one.recurrence_id for one in members):
            return [one.event for one in members]
        if self._looked_at >= _MAX_LOOKED_AT:
            return [_marked(one.event, "too many occurrences in one object") for one in members]
        members = [self._tamed(one) for one in members]
        try:
            return [_occurrence(members, component) for component in self._occurrences(members)]
        except (ValueError, TypeError, OverflowError, AttributeError, KeyError, IndexError):
            # Parts that each can be read, and do not fit together.
            return [_marked(one.event, "a recurrence that cannot be expanded") for one in members]

    def _tamed(self, one: Placed) -> Placed:
        """The event without the rules that cannot be expanded."""
        if one.start is None or not one.event.rrule:
            return one
        rules: list[str] = []
        event = one.event
        for rule in event.rrule:
            refused = self._refused >= _MAX_REFUSED
            said = "too many unusable recurrence rules" if refused else objection(rule, one.start, self._end)
            if said:
                self._refused += 1
                event = _marked(event, said)
            else:
                rules.append(rule)
        return replace(one, event=replace(event, rrule=rules))

    def _occurrences(self, members: list[Placed]) -> list[icalendar.Event]:
        calendar = icalendar.Calendar()
        for index, one in enumerate(members):
            calendar.add_component(_component(one, index))
        left = _MAX_LOOKED_AT - self._looked_at
        found = [
            occurrence
            for series in CalendarQuery(calendar).series
            for occurrence in islice(series.between(self._start, self._end), left)
        ]
        self._looked_at += len(found)
        found.sort(key=lambda occurrence: unix(cast("date", occurrence.start)))
        return [
            cast("icalendar.Event", occurrence.as_component(keep_recurrence_attributes=False))
            for occurrence in found[:MAX_OCCURRENCES]
        ]


def _marked(event: ParsedEvent, defect: str) -> ParsedEvent:
    return replace(event, defects=[*event.defects, defect])


def _component(one: Placed, index: int) -> icalendar.Event:
    """As much of the event as its recurrence depends on."""
    event = icalendar.Event()
    event["UID"] = "series"
    event["DTSTART"] = vDDDTypes(cast("date", one.start))
    event["DTEND"] = vDDDTypes(cast("date", one.end))
    event["SEQUENCE"] = vInt(one.event.sequence)
    event[_INDEX] = vInt(index)
    if one.recurrence_id is not None:
        event["RECURRENCE-ID"] = vDDDTypes(one.recurrence_id)
        if one.and_future:
            event["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
        return event
    event["RRULE"] = [vRecur.from_ical(rule) for rule in one.event.rrule]
    for name, dates in (("RDATE", one.rdates), ("EXDATE", one.exdates)):
        if dates:
            event[name] = vDDDLists(dates)
    return event


def _occurrence(members: list[Placed], component: icalendar.Event) -> ParsedEvent:
    """The event at the time of one of its occurrences."""
    one = members[int(cast("int", component[_INDEX]))]
    start, end = _time(component, "DTSTART"), _time(component, "DTEND")
    if one.recurrence_id is not None and not one.and_future:
        return one.event
    if not one.event.rrule and not one.rdates and not one.and_future:
        return one.event
    zones = ("", "")
    if isinstance(one.event.when, Timespan):
        zones = (one.event.when.start_timezone, one.event.when.end_timezone)
    marker = _time(component, "RECURRENCE-ID")
    return replace(
        one.event,
        recurrence_id=stamp(marker),
        original_start=unix(marker),
        when=when(start, end, *zones),
        rrule=[],
        rdate=[],
        exdate=[],
    )


def _time(component: icalendar.Event, name: str) -> date:
    return cast("date", cast("vDDDTypes", component[name]).dt)


def _beginning(event: ParsedEvent) -> tuple[int, str]:
    return _span(event)[0], event.uid


def _overlaps(event: ParsedEvent, start: datetime, end: datetime) -> bool:
    begins, ends = _span(event)
    return begins < unix(end) and (ends > unix(start) or begins >= unix(start))


def _span(event: ParsedEvent) -> tuple[int, int]:
    match event.when:
        case Timespan(start, end):
            return start, end
        case Day(day):
            return unix(day), unix(day) + _DAY
        case Datespan(first, free):
            return unix(first), unix(free)
        case None:
            return 0, 0
