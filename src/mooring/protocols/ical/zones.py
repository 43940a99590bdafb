"""Time zones by whatever name a calendar program gave them."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

from icalendar.cal.timezone import Timezone, TimezoneDaylight, TimezoneStandard
from icalendar.prop import vRecur
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from mooring.protocols.ical.lines import Calendar, Component
from mooring.protocols.ical.values import moment, offset

_MAX_OBSERVANCES = 50  # STANDARD and DAYLIGHT of one zone; Outlook writes a pair for each year
_EARLIEST = 1970  # Outlook's zones begin in 1601; nobody's calendar does
_MONTH = re.compile(r"[1-9]|1[0-2]")
_WEEKDAYS = re.compile(r"(?:SU|MO|TU|WE|TH|FR|SA)(?:,(?:SU|MO|TU|WE|TH|FR|SA))*")
_NTH_WEEKDAY = re.compile(r"[+-]?[1-4](?:SU|MO|TU|WE|TH|FR|SA)")
_MONTH_DAYS = re.compile(r"-?(?:[1-9]|1\d|2[0-8])(?:,-?(?:[1-9]|1\d|2[0-8]))*")
_SAMPLE_YEAR = 2025  # two zones are the same when they agree in every week of it
# Named first among zones with the same rules, since people recognise them.
_WELL_KNOWN = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Australia/Sydney",
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone; ``name`` is its IANA name, "" when it has rules of its own."""

    name: str
    tz: tzinfo


UTC_ZONE = Zone("UTC", UTC)


class Zones:
    """The time zones that one calendar object speaks of; ``defects`` tells what was guessed."""

    def __init__(self, calendar: Calendar) -> None:
        self.defects: list[str] = []
        self._declared = {zone.text("TZID").strip(): zone for zone in calendar.zones}
        self._found: dict[str, Zone] = {}
        name = calendar.properties.text("X-WR-TIMEZONE").strip()
        self.floating = self.get(name) if name else UTC_ZONE

    def get(self, tzid: str) -> Zone:
        """The zone with this TZID: a known one, or as the object's own VTIMEZONE has it, or UTC."""
        zone = self._found.get(tzid)
        if zone is None:
            zone = self._found[tzid] = self._resolve(tzid)
        return zone

    def _resolve(self, tzid: str) -> Zone:
        name = _iana(tzid)
        declared = self._declared.get(tzid)
        if not name and declared:
            name = _iana(declared.text("X-LIC-LOCATION"))
        if name:
            return Zone(name, ZoneInfo(name))
        if declared:
            with suppress(ValueError, TypeError, KeyError, OverflowError, AttributeError):
                return _by_rules(declared)
        self.defects.append(f"unknown time zone {tzid[:80]!r} is taken as UTC")
        return UTC_ZONE


def _iana(tzid: str) -> str:
    """The IANA name that is meant, or "": as it is, Windows' name, or the end of a vendor's path."""
    tzid = tzid.strip().strip("/")
    known = _known()
    if windows := WINDOWS_TO_OLSON.get(tzid):
        return windows
    parts = tzid.split("/")[-4:]
    for start in range(len(parts)):
        if name := known.get("/".join(parts[start:]).lower()):
            return name
    return ""


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()} | {"z": "UTC", "gmt": "UTC"}


def _by_rules(declared: Component) -> Zone:
    """The IANA zone with the same offsets in the sample year, or the declared rules themselves."""
    zone = Timezone()
    zone["TZID"] = "declared"
    for observance in declared.children[:_MAX_OBSERVANCES]:
        zone.add_component(_observance(observance))
    tz = cast("tzinfo", zone.to_tz(lookup_tzid=False))
    names = _by_offsets().get(_offsets(tz), ())
    return Zone(names[0], ZoneInfo(names[0])) if names else Zone("", tz)


def _observance(component: Component) -> TimezoneStandard | TimezoneDaylight:
    """One STANDARD or DAYLIGHT; only yearly rules are taken, as others are no rules of a time zone.

    Source: RFC 5545 section 3.6.5.
    """
    observance = TimezoneDaylight() if component.name == "DAYLIGHT" else TimezoneStandard()
    start = component.first("DTSTART")
    onset = moment(start.value) if start else None
    if not isinstance(onset, datetime):
        raise ValueError("an observance without a start")
    if onset.year < _EARLIEST:
        onset = onset.replace(year=_EARLIEST, day=min(onset.day, 28))
    observance.DTSTART = onset.replace(tzinfo=None)
    observance.TZOFFSETFROM = timedelta(seconds=offset(component.text("TZOFFSETFROM")))
    observance.TZOFFSETTO = timedelta(seconds=offset(component.text("TZOFFSETTO")))
    rule = component.first("RRULE")
    if rule and (yearly := _yearly(rule.value)):
        observance["RRULE"] = vRecur.from_ical(yearly)
    return observance


def _yearly(rule: str) -> str:
    """The rule reduced to "each year on this day of this month", which always matches; "" if it says anything else."""
    parts = {key.strip(): value.strip() for key, _, value in (p.partition("=") for p in rule.upper().split(";"))}
    month, days, month_days = parts.get("BYMONTH", ""), parts.get("BYDAY", ""), parts.get("BYMONTHDAY", "")
    if parts.get("FREQ") != "YEARLY" or not _MONTH.fullmatch(month) or not (days or month_days):
        return ""
    if days and not (_WEEKDAYS if month_days else _NTH_WEEKDAY).fullmatch(days):
        return ""
    if month_days and not _MONTH_DAYS.fullmatch(month_days):
        return ""
    kept = ("FREQ", "BYMONTH", "BYDAY", "BYMONTHDAY", "UNTIL")
    return ";".join(f"{key}={parts[key]}" for key in kept if parts.get(key))


def _offsets(tz: tzinfo) -> tuple[timedelta | None, ...]:
    noon = datetime(_SAMPLE_YEAR, 1, 1, 12)  # noqa: DTZ001 - the zone under test is put in
    return tuple((noon + timedelta(weeks=week)).replace(tzinfo=tz).utcoffset() for week in range(53))


@lru_cache(maxsize=1)
def _by_offsets() -> dict[tuple[timedelta | None, ...], list[str]]:
    table: dict[tuple[timedelta | None, ...], list[str]] = {}
    names = sorted(name for name in available_timezones() if "/" in name)
    for name in (*_WELL_KNOWN, *names):
        table.setdefault(_offsets(ZoneInfo(name)), []).append(name)
    return table
