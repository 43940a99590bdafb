"""The addresses to allow for an application's accounts (spec S5, S6, §6.13)."""

from collections.abc import Sequence

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application_of
from mooring.api.doors import Req, door, services_of
from mooring.applications import StaticIps

_STATIC_FROM = frozenset({StaticIps.REQUESTED, StaticIps.ON})
"""From when on the static list is the one to allow: before the feature is on, since the rule must be there first."""


class IpAddressesView(msgspec.Struct):
    """The list to allow now, and both lists by name."""

    ip_addresses: Sequence[str]
    updated_at: int
    dynamic_ip_addresses: Sequence[str]
    static_ip_addresses: Sequence[str]


@door("GET", "/a/{client_id:str}/ip_addresses", answer=IpAddressesView)
async def ip_addresses(request: Req) -> ASGIResponse:
    """The addresses that the application's accounts are reached from."""
    application = await v2_application_of(request)
    allowlist = services_of(request).allowlist
    static, dynamic = allowlist.static_list(application), allowlist.dynamic_list(application)
    current = static if application.static_ips in _STATIC_FROM else dynamic
    view = IpAddressesView(current.ip_addresses, current.updated_at, dynamic.ip_addresses, static.ip_addresses)
    return encoded(view)


ROUTES = (ip_addresses,)
