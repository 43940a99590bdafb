"""Durations as people write them: ``5s``, ``30m``, ``12h``, ``90d``."""

import re
from datetime import timedelta

_FORM = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str) -> timedelta:
    """The duration that ``text`` means.

    Raises:
        ValueError: it is not a number with a unit, or not longer than nothing.
    """
    match = _FORM.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 5s, 30m, 12h or 90d")
    duration = timedelta(**{_UNITS[match[2]]: float(match[1])})
    if duration <= timedelta(0):
        raise ValueError("a duration must be longer than nothing")
    return duration
