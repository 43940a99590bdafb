"""Answers that went well: the envelope of v3, the bare JSON of v2, encoded straight to bytes."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.response.base import ASGIResponse

from mooring.api.arrivals import arrival_of
from mooring.api.pieces import Base64Url, Pieces, Whole

T = TypeVar("T")

SYNCED_AT = "X-Mooring-Synced-At"
"""How fresh a stored copy is; absent when the answer came live from the server (spec §6.9)."""

AT_ONCE = 1024 * 1024
"""Bytes of an answer that are handed to the server in one piece."""

_KEPT = frozenset({"id", "object", "grant_id"})
"""``select`` never drops these: an SDK cannot read an object without them (contract 1.7)."""


class Single(msgspec.Struct, Generic[T]):
    """One object in the envelope."""

    request_id: str
    data: T


class Listing(msgspec.Struct, Generic[T]):
    """One page of objects in the envelope; ``next_cursor`` is null at the end."""

    request_id: str
    data: list[T]
    next_cursor: str | None = None


class OffsetListing(msgspec.Struct, Generic[T]):
    """One page of objects that are paged by offset."""

    request_id: str
    data: list[T]
    limit: int
    offset: int
    next_cursor: str | None = None


class Done(msgspec.Struct):
    """It is done, and there is nothing to show."""

    request_id: str


def request_id(request: Request[Any, Any, Any]) -> str:
    """The id that body and header carry."""
    return arrival_of(request.scope).request_id


def single(
    request: Request[Any, Any, Any], data: Any, *, status: int = 200, synced_at: datetime | None = None
) -> ASGIResponse:
    """One object."""
    return encoded(Single(request_id(request), data), status=status, synced_at=synced_at)


def listing(
    request: Request[Any, Any, Any],
    data: Sequence[Any],
    *,
    next_cursor: str | None = None,
    synced_at: datetime | None = None,
) -> ASGIResponse:
    """One page."""
    page = Listing(request_id(request), data if isinstance(data, list) else list(data), next_cursor)
    return encoded(page, synced_at=synced_at)


def done(request: Request[Any, Any, Any]) -> ASGIResponse:
    """Nothing but the request id: never an empty body, which no SDK can read."""
    return encoded(Done(request_id(request)))


def encoded(body: Any, *, status: int = 200, synced_at: datetime | None = None) -> ASGIResponse:
    """This value as the whole JSON body; what it holds as ``Base64Url`` is encoded on its way out."""
    headers = {SYNCED_AT: iso_utc(synced_at)} if synced_at is not None else None
    response: dict[str, Any] = {"status_code": status, "media_type": "application/json", "headers": headers}
    late: list[Base64Url] = []
    mark = ""

    def leave_out(value: object) -> str:
        nonlocal mark
        if not isinstance(value, Base64Url):
            raise TypeError(f"{type(value).__name__} has no JSON")
        mark = mark or secrets.token_hex(16)
        late.append(value)
        return mark

    written = msgspec.json.encode(body, enc_hook=leave_out)
    if not late and len(written) <= AT_ONCE:
        return ASGIResponse(body=written, **response)
    first, *rest = map(Whole, written.split(mark.encode()) if late else [written])
    return Pieces([first, *(part for pair in zip(late, rest, strict=True) for part in pair)], **response)


def iso_utc(at: datetime) -> str:
    """``2026-01-31T12:00:00Z``."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def unix(at: datetime | None) -> int | None:
    """Whole unix seconds, as every timestamp of the API is."""
    return int(at.timestamp()) if at is not None else None


def fields_of(item: msgspec.Struct) -> dict[str, Any]:
    """The object's top level by the names it has on the wire; what is inside stays as it is."""
    return {wire: getattr(item, name) for name, wire in _names(type(item))}


def selected(items: Iterable[Any], names: frozenset[str] | None) -> list[Any]:
    """The objects with only these top-level fields, and always those that an SDK needs; None keeps all."""
    if names is None:
        return list(items)
    wanted = names | _KEPT
    return [{k: v for k, v in _mapping(item).items() if k in wanted} for item in items]


def _mapping(item: Any) -> dict[str, Any]:
    return fields_of(item) if isinstance(item, msgspec.Struct) else item


@lru_cache
def _names(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    return tuple((f.name, f.encode_name) for f in msgspec.structs.fields(kind))
