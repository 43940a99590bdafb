"""The facade of v2: bare objects and arrays, accounts instead of grants. The word account lives here alone."""

from litestar.handlers import HTTPRouteHandler

from mooring.api.v2 import (
    account,
    accounts,
    application,
    authorize,
    connect,
    files,
    folders,
    ip_addresses,
    messages,
    oauth,
    send,
    threads,
    tokens,
    webhooks,
)

ROUTES: tuple[HTTPRouteHandler, ...] = (
    *authorize.ROUTES,
    *oauth.ROUTES,
    *connect.ROUTES,
    *application.ROUTES,
    *accounts.ROUTES,
    *tokens.ROUTES,
    *ip_addresses.ROUTES,
    *webhooks.ROUTES,
    *account.ROUTES,
    *messages.ROUTES,
    *threads.ROUTES,
    *folders.ROUTES,
    *files.ROUTES,
    *send.ROUTES,
)

__all__ = ["ROUTES"]
