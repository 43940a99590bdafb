"""Request bodies: JSON, whatever the Content-Type says."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from litestar.exceptions import InternalServerException

from mooring.api.doors import JSON_LIMIT, Req
from mooring.api.errors import InvalidPayload, RequestTooLarge
from mooring.api.longtexts import LongTexts
from mooring.errors import InvalidRequest
from mooring.large import LARGE, beside

T = TypeVar("T")

MAX_FIELDS = 100
"""Fields of a form."""

_NUL = b"\\u0000"
_BOM = b"\xef\xbb\xbf"


async def json_of(request: Req, kind: type[T]) -> T:
    """The body as this type.

    Raises:
        InvalidPayload: it is not JSON.
        InvalidRequest: it is JSON of another shape; the message names the place.
    """
    chunks = await chunks_of(request)
    return await beside(sum(map(len, chunks)), _read_json, chunks, kind)


async def json_if_any(request: Req, kind: type[T]) -> T | None:
    """As ``json_of``; None where there is no body, which some clients leave out when they have nothing to say."""
    chunks = await chunks_of(request)
    if not b"".join(chunks).strip():
        return None
    return await beside(sum(map(len, chunks)), _read_json, chunks, kind)


async def fields_of_form(request: Req, kind: type[T]) -> T:
    """The body as this type of texts: a form, or JSON; which of the two, the body itself says.

    Raises:
        InvalidPayload, InvalidRequest: as ``json_of``.
    """
    chunks = await chunks_of(request)
    body = b"".join(chunks)
    if body.lstrip().startswith(b"{"):
        return await beside(len(body), _read_json, chunks, kind)
    return from_pairs(body, kind)


def from_pairs(written: bytes, kind: type[T]) -> T:
    """A form's fields, or a query's parameters, as this type of texts; of a repeated one the first counts.

    Raises:
        InvalidRequest: one is missing, there are too many, or one holds a NUL character.
    """
    try:
        pairs = parse_qsl(written.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidRequest(f"There are more than {MAX_FIELDS} fields.") from None
    if any("\x00" in value for _, value in pairs):
        raise InvalidRequest("A field holds a NUL character.")
    with as_payload():
        return msgspec.convert(dict(reversed(pairs)), type=kind)


async def chunks_of(request: Req) -> list[bytes]:
    """The body as it came.

    Raises:
        InvalidPayload: it did not come whole.
    """
    try:
        return [chunk async for chunk in request.stream()]
    except InternalServerException:
        raise InvalidPayload("The request body was cut short.") from None


def take_apart(chunks: list[bytes], kind: type[T]) -> tuple[T, LongTexts]:
    """The body as this type, and its long texts, which are not yet in their places; within ``as_payload`` only.

    Raises:
        RequestTooLarge: it is large in another way than by long texts.
    """
    body = b"".join(chunks).removeprefix(_BOM)
    if not body or body.isspace():
        raise InvalidPayload("The request has no body.", hint="A JSON object is expected.")
    texts = LongTexts.of(body, most=JSON_LIMIT) if len(body) > LARGE else LongTexts(body, [])
    if texts is None:
        raise RequestTooLarge("The request body has more than 1 MiB besides its long texts.")
    value = msgspec.json.decode(texts.rest, type=kind)
    if _NUL in texts.rest and _holds_nul(msgspec.json.decode(texts.rest)):
        raise InvalidRequest("The request body holds a NUL character, which no mail and no database can keep.")
    return value, texts


@contextmanager
def as_payload() -> Generator[None]:
    """Turn what the decoder says of a body into an InvalidPayload, or an InvalidRequest that names the place."""
    try:
        yield
    except msgspec.ValidationError as e:
        raise InvalidRequest(f"The request body has another shape than expected: {e}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        reason = "nested too deeply" if isinstance(e, RecursionError) else str(e)
        raise InvalidPayload(f"The request body is not valid JSON: {reason[:200]}.") from None


def _read_json(chunks: list[bytes], kind: type[T]) -> T:
    with as_payload():
        value, texts = take_apart(chunks, kind)
        return texts.restored(value)


def _holds_nul(value: Any) -> bool:
    """Whether any text in this JSON value holds U+0000; an escaped backslash before ``u0000`` is no such thing."""
    match value:
        case str():
            return "\x00" in value
        case list():
            return any(_holds_nul(item) for item in cast("list[Any]", value))
        case dict():
            return any(_holds_nul(k) or _holds_nul(v) for k, v in cast("dict[str, Any]", value).items())
        case _:
            return False
