"""Query parameters as the SDKs spell them (contract 1.4).

``True`` and ``true`` are the same, a list is repeated or joined by commas, the literal ``None`` and an empty
value are absent. What cannot be meant (a limit of 0, letters for a number) is refused, not guessed.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from mooring.api.doors import Doc, Req
from mooring.errors import InvalidRequest

T = TypeVar("T")
Connection = ASGIConnection[Any, Any, Any, Any]

MAX_PARAMETERS = 200
DEFAULT_LIMIT = 50
MAX_LIMIT = 200
"""Objects on a page (contract 1.9); a larger limit is taken as this one, since both SDKs then ask again."""

MAX_TOKEN = 4096
"""Characters of a page token; ours have well under a hundred, but where they name messages (``mail.cursors``)."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_TOKEN = re.compile(r"[A-Za-z0-9_=.~-]+")
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})
_EARLIEST_S, _LATEST_S = -62_135_596_800, 253_402_300_799
"""Unix seconds of the years 1 and 9999: what PostgreSQL and Python can both say."""


class Query:
    """The query string of one request."""

    def __init__(self, raw: bytes) -> None:
        try:
            pairs = parse_qsl(
                raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="replace"
            )
        except ValueError:
            raise InvalidRequest(f"More than {MAX_PARAMETERS} query parameters.") from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if "\x00" in value:
                raise InvalidRequest(f"The query parameter {name[:50]!r} holds a NUL character.")
            if value not in {"", "None"}:
                self._values.setdefault(name, []).append(value)

    def text(self, name: str) -> str | None:
        """The value as it is; the first where it is repeated."""
        values = self._values.get(name)
        return values[0] if values else None

    def required(self, name: str) -> str:
        """Raises: InvalidRequest: it is not there."""
        value = self.text(name)
        if value is None:
            raise InvalidRequest(f"The query parameter {name!r} is missing.")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """All values, repeated or joined by commas."""
        parts = (part.strip() for value in self._values.get(name, ()) for part in value.split(","))
        return tuple(part for part in parts if part)

    def flag(self, name: str) -> bool | None:
        """True, false, or None when absent."""
        value = self.text(name)
        match value.lower() if value is not None else None:
            case None:
                return None
            case word if word in _TRUE:
                return True
            case word if word in _FALSE:
                return False
            case _:
                raise InvalidRequest(f"The query parameter {name!r} must be true or false.")

    def whole(self, name: str) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return None
        if not _WHOLE.fullmatch(value):
            raise InvalidRequest(f"The query parameter {name!r} must be a whole number.")
        return int(value)

    def moment(self, name: str) -> int | None:
        """Unix seconds."""
        value = self.whole(name)
        if value is not None and not _EARLIEST_S <= value <= _LATEST_S:
            raise InvalidRequest(f"The query parameter {name!r} must be a time in unix seconds.")
        return value

    def moment_utc(self, name: str) -> datetime | None:
        """Unix seconds, or ISO 8601; without an offset it is UTC."""
        value = self.text(name)
        if value is None:
            return None
        if _WHOLE.fullmatch(value):
            return datetime.fromtimestamp(self.moment(name) or 0, UTC)
        try:
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            raise InvalidRequest(f"The query parameter {name!r} must be unix seconds or ISO 8601.") from None

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of these words."""
        value = self.text(name) or default
        if value not in allowed:
            raise InvalidRequest(f"The query parameter {name!r} must be one of: {', '.join(allowed)}.")
        return value

    def limit(self, default: int = DEFAULT_LIMIT, most: int = MAX_LIMIT) -> int:
        """How many objects at most: 1 or more, and no more than this door gives."""
        value = self.whole("limit")
        if value is None:
            return default
        if value < 1:
            raise InvalidRequest("The query parameter 'limit' must be 1 or more.")
        return min(value, most)

    def offset(self) -> int:
        """How many objects to pass over."""
        value = self.whole("offset") or 0
        if value < 0:
            raise InvalidRequest("The query parameter 'offset' must be 0 or more.")
        return value

    def page_token(self) -> str | None:
        """Where the page before ended, as its ``next_cursor`` said."""
        token = self.text("page_token")
        if token is not None and (len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token)):
            raise bad_token()
        return token

    def select(self) -> frozenset[str] | None:
        """The top-level fields to show; None shows all."""
        return frozenset(self.many("select")) or None

    def refuse(self, names: Sequence[str], hint: str = "") -> None:
        """Refuse filters that we do not have: leaving one out would answer another question."""
        for name in names:
            if name in self._values:
                raise InvalidRequest(f"The query parameter {name!r} is not supported here.", hint=hint)

    def only(self, known: Sequence[str], refused: Sequence[str]) -> None:
        """Refuse whatever is not known here, and say of what others know that we do not have it."""
        hint = f"Here are: {', '.join(known)}." if known else "This path takes none."
        self.refuse(refused, hint)
        for name in self._values:
            if name not in known:
                raise InvalidRequest(f"There is no query parameter {name[:50]!r} here.", hint=hint)


async def only_declared(connection: Connection, handler: BaseRouteHandler) -> None:
    """A guard of every route: of v3, a query holds what the route declares, and nothing else."""
    doc, raw = handler.opt.get("doc"), connection.scope["query_string"]
    if raw and isinstance(doc, Doc) and connection.scope["path"].startswith("/v3/"):
        Query(raw).only(doc.query, doc.refused)


def query_of(request: Req) -> Query:
    """The request's query parameters."""
    return Query(request.scope["query_string"])


def write_token(state: Any) -> str:
    """An opaque page token that holds this JSON value."""
    return base64.urlsafe_b64encode(msgspec.json.encode(state)).rstrip(b"=").decode()


def read_token(token: str, kind: type[T]) -> T:
    """What ``write_token`` was given.

    Raises:
        InvalidRequest: it did not write this.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=kind)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise bad_token() from None


def read_position(token: str, identity: Callable[[str], object] = str) -> tuple[datetime, str]:
    """Where a page of what is listed by time begins: the moment, in UTC, and the id of the last one before it.

    Args:
        identity: reads an id, or raises ValueError.

    Raises:
        InvalidRequest: as ``read_token``.
    """
    at, written = read_token(token, tuple[Annotated[datetime, msgspec.Meta(tz=True)], str])
    try:
        return at.astimezone(UTC), str(identity(written))
    except (ValueError, OverflowError):
        raise bad_token() from None


def paged(items: Sequence[T], query: Query) -> tuple[list[T], str | None]:
    """One page of a list that is short enough to be read whole, and the token of the next."""
    token = query.page_token()
    start = read_token(token, int) if token else 0
    if start < 0:
        raise bad_token()
    end = start + query.limit()
    return list(items[start:end]), write_token(end) if end < len(items) else None


def bad_token() -> InvalidRequest:
    """What a page token that we did not write is answered with."""
    return InvalidRequest("This page_token is not one of ours.", hint="Send the next_cursor of the page before, whole.")
