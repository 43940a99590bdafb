"""The facade of v2: bare objects and arrays, accounts instead of grants. The word account lives here alone."""

from litestar.handlers import HTTPRouteHandler

from mooring.api.v2 import account, accounts, connect, ip_addresses, messages, send, webhooks

ROUTES: tuple[HTTPRouteHandler, ...] = (
    *connect.ROUTES,
    *account.ROUTES,
    *accounts.ROUTES,
    *messages.ROUTES,
    *send.ROUTES,
    *ip_addresses.ROUTES,
    *webhooks.ROUTES,
)

__all__ = ["ROUTES"]
