"""One spelling for every path: segments are split while still encoded, decoded once, and never split again.

An encoded slash inside an id therefore stays inside it, ``//v3/grants/`` is ``/v3/grants``, and nobody is
ever redirected. The router sees the one spelling; ``segment`` gives a handler the decoded text.
"""

import re
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from litestar import Request

_PLAIN = re.compile(rb"[A-Za-z0-9._~@:+-]+")
_SAFE = "@:+"
"""Left as they are beside the unreserved letters (RFC 3986 §2.3): an e-mail address is one word, ``+`` is itself."""

_NOT_TEXT = "\ufffd"
"""Stands for what is no text (bytes outside of UTF-8, control characters): no id holds it, so nothing is found."""


def canonical(raw: bytes) -> str:
    """The one spelling of this path: no empty segments, each segment decoded once and encoded again."""
    return "/" + "/".join(_respelt(segment) for segment in raw.split(b"/") if segment)


def segment(request: Request[Any, Any, Any], name: str) -> str:
    """The decoded text of a path parameter."""
    return unquote(request.path_params[name])


def _respelt(segment: bytes) -> str:
    if _PLAIN.fullmatch(segment):
        return segment.decode("ascii")
    text = unquote_to_bytes(segment).decode("utf-8", "replace")
    return quote("".join(c if c.isprintable() else _NOT_TEXT for c in text), safe=_SAFE)
