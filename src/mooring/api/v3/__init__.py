"""The doors of v3: parse, call one service, answer in the envelope. One file for each resource."""

from litestar.handlers import HTTPRouteHandler

from mooring.api.v3 import (
    applications,
    attachments,
    calendars,
    connect,
    connections,
    deliveries,
    detect,
    diagnoses,
    events,
    folders,
    grants,
    messages,
    moves,
    send,
    static_ips,
    watches,
    webhooks,
)

ROUTES: tuple[HTTPRouteHandler, ...] = (
    *applications.ROUTES,
    *connect.ROUTES,
    *detect.ROUTES,
    *grants.ROUTES,
    *moves.ROUTES,
    *folders.ROUTES,
    *messages.ROUTES,
    *send.ROUTES,
    *attachments.ROUTES,
    *calendars.ROUTES,
    *events.ROUTES,
    *static_ips.ROUTES,
    *connections.ROUTES,
    *webhooks.ROUTES,
    *deliveries.ROUTES,
    *diagnoses.ROUTES,
    *watches.ROUTES,
)

__all__ = ["ROUTES"]
