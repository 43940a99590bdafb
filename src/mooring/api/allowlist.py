"""The static lists, for firewalls and for those who feed them: public, without a key, one address a line or JSON."""

import hashlib

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.services import AddressList
from mooring.config import EnvironmentName, Generation, Kind, is_region
from mooring.errors import NotFound

FRESH = "public, max-age=300"
"""What is asked for more often than every five minutes is no news: lists change a few times a year."""


class PublicListView(msgspec.Struct):
    """The addresses to allow.

    Attributes:
        version: another one means another list.
    """

    generation: str
    region: str
    version: int | str
    updated_at: int
    ip_addresses: list[str]


@door("GET", "/allowlist/{generation:str}/{name:str}", answer="text/plain", secured=False)
async def public_list(request: Req) -> ASGIResponse:
    """The static list of a generation and region, as ``us.txt`` (an address a line) or ``us.json``."""
    region, _, form = segment(request, "name").rpartition(".")
    found = _find(request, segment(request, "generation"), region)
    match form:
        case "txt":
            body, kind = "".join(f"{address}\n" for address in found.ip_addresses).encode(), "text/plain"
        case "json":
            view = PublicListView(
                found.generation, found.region, found.version, found.updated_at, list(found.ip_addresses)
            )
            body, kind = msgspec.json.encode(view), "application/json"
        case _:
            raise _unknown(request)
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Content-Type": f"{kind}; charset=utf-8", "ETag": tag, "Cache-Control": FRESH}
    if request.headers.get("if-none-match") == tag:
        return ASGIResponse(body=b"", status_code=304, headers=headers)
    return ASGIResponse(body=body, headers=headers)


def _find(request: Req, generation: str, region: str) -> AddressList:
    known = {str(name): name for name in (Generation.V2, Generation.V3)}
    if generation not in known or not is_region(region):
        raise _unknown(request)
    found = services_of(request).allowlist.list_of(EnvironmentName(known[generation], region, Kind.STATIC))
    if not found.version:
        raise _unknown(request)
    return found


def _unknown(request: Req) -> NotFound:
    return NotFound(
        f"There is no address list {request.url.path}.", hint="Lists are named such as /allowlist/v3/us.txt or us.json."
    )


ROUTES = (public_list,)
