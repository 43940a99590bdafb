"""Durations as people write them: ``5s``, ``30m``, ``12h``, ``90d``."""

import re
from datetime import timedelta

_FORM = re.compile(r"\s*(\d{1,9}(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", re.ASCII)
LONGEST = timedelta(days=36_525)
"""A hundred years: far past any use, and dates counted back by it still exist."""

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str) -> timedelta:
    """The duration that ``text`` means.

    Raises:
        ValueError: it is not a number with a unit, or not longer than nothing.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 5s, 30m, 12h or 90d")
    duration = timedelta(**{_UNITS[match[2]]: float(match[1])})
    if not timedelta(0) < duration <= LONGEST:
        raise ValueError(f"{text!r} is not a duration between nothing and a hundred years")
    return duration
