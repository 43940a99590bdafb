"""The addresses that an application's traffic leaves from (spec §6.13)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Single, single
from mooring.api.auth import application_of
from mooring.api.doors import Req, door, services_of
from mooring.config import Kind
from mooring.errors import NoSource

STATIC_LIST = "/v3/static-ips"


class StaticListView(msgspec.Struct):
    """The one list that a mail administrator allows."""

    generation: str
    region: str
    version: int | str
    updated_at: int
    ip_addresses: Sequence[str]
    entries: Sequence[Any]


class DynamicListView(msgspec.Struct):
    """Why there is no list of dynamic addresses, and where to look instead."""

    generation: str
    region: str
    message: str
    static_ips: str
    ip_addresses: Sequence[str] = ()


@door("GET", STATIC_LIST, answer=Single[StaticListView])
async def static_ips(request: Req) -> ASGIResponse:
    """The static addresses of the application's region, whether the feature is on or not."""
    application = await application_of(request)
    found = services_of(request).allowlist.static_list(application)
    if not found.version:
        missing = application.environment(Kind.STATIC)
        raise NoSource(
            f"This installation declares no pool {missing}, so there are no addresses to allow",
            reason="unknown_pool",
            hint=f"The operator adds a [[egress.pool]] for {missing}.",
        )
    view = StaticListView(
        generation=str(found.generation),
        region=found.region,
        version=found.version,
        updated_at=found.updated_at,
        ip_addresses=found.ip_addresses,
        entries=found.entries,
    )
    return single(request, view)


@door("GET", "/v3/dynamic-ips", answer=Single[DynamicListView])
async def dynamic_ips(request: Req) -> ASGIResponse:
    """Why v3 has no list of dynamic addresses."""
    application = await application_of(request)
    view = DynamicListView(
        generation=str(application.generation),
        region=application.region,
        message=(
            "v3 has no list of its dynamic addresses: they change without notice, and a firewall rule made of them"
            f" would break. Allow the static addresses instead: GET {STATIC_LIST}."
        ),
        static_ips=STATIC_LIST,
    )
    return single(request, view)


ROUTES = (static_ips, dynamic_ips)
