"""What a report leaves out: names of users that nobody asked about, and characters that show something else."""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import msgspec

from mooring.diagnosis import Diagnosis
from mooring.grants import cleaned
from mooring.reports.types import Report

_SHORTEST = 3
"""Letters of a user's name that is looked for; shorter ones are words as well."""
_INSTEAD = "***"
_OURS = ("hosts", "asked", "servers", "capture")
"""What is made of names and numbers that were checked, and of words that a user may be called by."""


def discreet(report: Report, diagnosis: Diagnosis, *, links: Mapping[str, str]) -> Report:
    """The report, with no text in it that anything of a user's or a stranger's hides in.

    Args:
        links: paths that sentences name, with the addresses that they have from elsewhere.
    """
    hidden = _hidden(diagnosis, report.email)

    def told(text: str) -> str:
        for path, link in links.items():
            text = text.replace(path, link)
        return cleaned(hidden.sub(_INSTEAD, text) if hidden is not None else text)

    changed = _each_text(report, told)
    return msgspec.structs.replace(changed, **{name: getattr(report, name) for name in _OURS})


def _hidden(diagnosis: Diagnosis, email: str) -> re.Pattern[str] | None:
    """The users' names that servers may have repeated; not the address that it was asked by."""
    evidence = diagnosis.evidence
    questions = [diagnosis.question, *([evidence.question] if evidence is not None else [])]
    names = {name.casefold() for q in questions for name in (q.email, *(t.username for t in q.targets))}
    long = sorted((name for name in names - {email.casefold()} if len(name) >= _SHORTEST), key=len, reverse=True)
    if not long:
        return None
    # Whole words: a user's name may be part of the server's.
    return re.compile(rf"(?<![\w.@-])(?:{'|'.join(map(re.escape, long))})(?![\w@-]|\.\w)", re.IGNORECASE)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same, with every text in it changed; the words of closed sets are none."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else change(value)
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return msgspec.structs.replace(value, **{name: _each_text(getattr(value, name), change) for name in names})
    if isinstance(value, tuple | list):
        several: list[Any] = [_each_text(one, change) for one in value]  # pyright: ignore[reportUnknownVariableType]
        return tuple(several) if isinstance(value, tuple) else several
    if isinstance(value, dict):
        return {key: _each_text(one, change) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value
