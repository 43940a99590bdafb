"""Request bodies: JSON, whatever the Content-Type says."""

from typing import Any, TypeVar, cast

import msgspec
from litestar.exceptions import InternalServerException

from mooring.api.doors import Req
from mooring.api.errors import InvalidPayload
from mooring.errors import InvalidRequest

T = TypeVar("T")

_NUL = b"\\u0000"
_BOM = b"\xef\xbb\xbf"


async def json_of(request: Req, kind: type[T]) -> T:
    """The body as this type.

    Raises:
        InvalidPayload: it is not JSON.
        InvalidRequest: it is JSON of another shape; the message names the place.
    """
    try:
        body = await request.body()
    except InternalServerException:
        raise InvalidPayload("The request body was cut short.") from None
    return read_json(body, kind)


def read_json(body: bytes, kind: type[T]) -> T:
    """As ``json_of``, for bytes at hand."""
    if not body.strip():
        raise InvalidPayload("The request has no body.", hint="A JSON object is expected.")
    body = body.removeprefix(_BOM)
    try:
        value = msgspec.json.decode(body, type=kind)
        if _NUL in body and _holds_nul(msgspec.json.decode(body)):
            raise InvalidRequest("The request body holds a NUL character, which no mail and no database can keep.")
    except msgspec.ValidationError as e:
        raise InvalidRequest(f"The request body has another shape than expected: {e}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        reason = "nested too deeply" if isinstance(e, RecursionError) else str(e)
        raise InvalidPayload(f"The request body is not valid JSON: {reason[:200]}.") from None
    return value


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
