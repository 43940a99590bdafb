"""Which recurrence rules can be expanded without hanging: a pure estimate before any work is done."""

from datetime import date, datetime

from dateutil.rrule import rrulestr

_MAX_RULE = 2_000  # characters; the longest useful rule names 366 days
_MAX_STEPS = 200_000  # candidates between the start and the end of the window; about a second of work
_SUB_DAILY = {"HOURLY": 24, "MINUTELY": 1_440}  # candidates in a day
_DAILY = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_CYCLE = 400  # years after which the Gregorian calendar repeats, weekdays included
_LAST_YEAR = 9999  # where the generator gives up looking


def objection(rule: str, start: date, until: datetime) -> str:
    """Why a rule is not expanded, or "".

    Args:
        start: DTSTART, whose wall clock counts.
        until: the end of the window.
    """
    if len(rule) > _MAX_RULE:
        return "a recurrence rule that is too long"
    parts = {
        key.strip().upper(): value.strip().upper() for key, _, value in (p.partition("=") for p in rule.split(";"))
    }
    density = _density(parts)
    if density is None:
        return "a recurrence rule that cannot be read"
    days = max(366, until.toordinal() - start.toordinal())
    if days * density > _MAX_STEPS:
        return "a recurrence rule that is too dense"
    bare = ";".join(f"{key}={value}" for key, value in parts.items() if key not in ("UNTIL", "COUNT") and value)
    try:
        # The first match decides; close to the last year, so that a rule that never matches ends soon.
        years = (_LAST_YEAR - _CYCLE - start.year) // _CYCLE * _CYCLE
        shifted = datetime(start.year, start.month, start.day).replace(year=start.year + years)  # noqa: DTZ001
        if isinstance(start, datetime):
            shifted = shifted.replace(hour=start.hour, minute=start.minute, second=start.second)
        if next(iter(rrulestr(bare, dtstart=shifted)), None) is None:
            return "a recurrence rule that never matches"
    except (ValueError, TypeError, AttributeError, OverflowError, IndexError):
        return "a recurrence rule that cannot be read"
    return ""


def _density(parts: dict[str, str]) -> int | None:
    """Candidates in a day, at most; None for a rule that makes no sense, SECONDLY among them."""
    frequency = parts.get("FREQ", "")
    interval = parts.get("INTERVAL", "1")
    if not (interval.isascii() and interval.isdigit() and int(interval[:9]) > 0):
        return None
    count = parts.get("COUNT", "1")
    if not (count.isascii() and count.isdigit()):
        return None
    density = 1
    for part in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        density *= parts.get(part, "").count(",") + 1
    if frequency in _DAILY:
        return density
    if frequency == "MINUTELY" and any(key.startswith("BY") for key in parts):
        return None
    per_day = _SUB_DAILY.get(frequency)
    return None if per_day is None else density * -(-per_day // int(interval[:9]))
