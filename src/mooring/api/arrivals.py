"""What is known of a request before anything is routed: its id, and what an answer to it must look like."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from uuid import uuid4

_KEY = "mooring"

_V2_ROOTS = frozenset(
    {
        "a", "account", "calendars", "connect", "contacts", "delta", "drafts", "events", "files", "folders", "labels",
        "messages", "oauth", "send", "threads", "webhooks",
    }
)  # fmt: skip
"""The first segments of v2's paths (contract 6.3); v3's all begin with ``v3``."""

_OAUTH = ("connect/token", "connect/revoke")
"""A v3 path with one of these in it answers errors in OAuth's shape: the SDKs look for just that (contract 1.8)."""


class Shape(StrEnum):
    """How an error is written."""

    #: ``{request_id, error: {type, message}}``
    ENVELOPE = "envelope"
    #: ``{error, error_code, error_description, error_uri}``
    OAUTH = "oauth"
    #: ``{message, type}``, of v2
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, as it came in."""

    request_id: str
    shape: Shape


def arrive(scope: Any, path: str) -> Arrival:
    """Give the request its id, and note both on the scope.

    Args:
        path: in its canonical spelling.
    """
    arrival = Arrival(str(uuid4()), shape_of(path))
    scope[_KEY] = arrival
    return arrival


def arrival_of(scope: Any) -> Arrival:
    """What ``arrive`` noted."""
    return cast("Arrival", scope[_KEY])


def template_of(scope: Any) -> str:
    """The route as it was declared, so that ids never become labels."""
    return cast("str", scope.get("path_template", "unmatched"))


def shape_of(path: str) -> Shape:
    """How errors on this path are written."""
    if path[1:].partition("/")[0] in _V2_ROOTS:
        return Shape.BARE
    return Shape.OAUTH if any(part in path for part in _OAUTH) else Shape.ENVELOPE
