"""Webhooks: create, list, find, update, delete, and a new secret. What became of deliveries is in ``deliveries``."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import Listing, Single, encoded, listing, request_id, single, unix
from mooring.api.auth import application_of
from mooring.api.bodies import json_of
from mooring.api.callers import is_python_sdk
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.errors import InvalidRequest
from mooring.webhooks import NODE_TRIGGERS, OUR_TRIGGERS, NewWebhook, Webhook, WebhookChanges, WebhookStatus

_MAX_EMAILS = 20
_MAX_DESCRIPTION = 1_000


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of create and update; in an update, what is left out stays as it is.

    Attributes:
        trigger_types: events of the vocabulary that the SDKs share.
        mooring_trigger_types: events of ours. They are kept apart, since the Python SDK cannot read a webhook with
            a trigger that it does not know; what the Node SDK knows is kept apart from Python only.
        ordered: each fact waits for the one before it, grant by grant (the default).
    """

    trigger_types: list[str] | None = None
    mooring_trigger_types: list[str] | None = None
    webhook_url: str | None = None
    description: str | None = None
    notification_email_addresses: list[str] | None = None
    compressed_delivery: bool | None = None
    ordered: bool | None = None
    status: str | None = None


class WebhookView(msgspec.Struct, omit_defaults=True):
    """A webhook; ``mooring_trigger_types`` and ``ordered`` are ours."""

    id: str
    description: str
    trigger_types: list[str]
    mooring_trigger_types: list[str]
    webhook_url: str
    status: str
    notification_email_addresses: tuple[str, ...]
    compressed_delivery: bool
    ordered: bool
    status_updated_at: int | None
    created_at: int | None
    updated_at: int | None
    webhook_secret: str = ""


class WebhookAddressesView(msgspec.Struct):
    """Where deliveries leave from: what a firewall in front of an endpoint has to allow."""

    ip_addresses: list[str]
    updated_at: int


class Success(msgspec.Struct):
    """It is done."""

    status: str = "success"


@door("GET", "/v3/webhooks", answer=Listing[WebhookView])
async def list_webhooks(request: Req) -> ASGIResponse:
    """List the application's webhooks."""
    webhooks = await services_of(request).webhooks.of_application(await application_of(request))
    return listing(request, [_view(request, w) for w in webhooks])


@door("POST", "/v3/webhooks", answer=Single[WebhookView], body=WebhookBody)
async def create_webhook(request: Req) -> ASGIResponse:
    """Make a webhook, once its endpoint has answered the challenge. Its secret is shown this once."""
    application = await application_of(request)
    wanted = _changes(await json_of(request, WebhookBody), ([], []))
    return single(request, _new_view(request, await services_of(request).webhooks.create(application, wanted)))


@door("GET", "/v3/webhooks/ip-addresses", answer=Single[WebhookAddressesView])
async def webhook_addresses(request: Req) -> ASGIResponse:
    """The addresses that deliveries leave from."""
    application = await application_of(request)
    found = services_of(request).allowlist.webhook_list(application)
    return single(request, WebhookAddressesView(list(found.ip_addresses), found.updated_at))


@door("GET", "/v3/webhooks/{webhook_id:str}", answer=Single[WebhookView])
async def find_webhook(request: Req) -> ASGIResponse:
    """Find a webhook."""
    return single(request, _view(request, await webhook_of(request)))


@door("PUT", "/v3/webhooks/{webhook_id:str}", answer=Single[WebhookView], body=WebhookBody)
async def update_webhook(request: Req) -> ASGIResponse:
    """Change a webhook; with `status` it is paused, or switched on again."""
    application = await application_of(request)
    service = services_of(request).webhooks
    before = await service.find(application, segment(request, "webhook_id"))
    changes = _changes(await json_of(request, WebhookBody), _parted(request, before.trigger_types))
    return single(request, _view(request, await service.update(application, before.id, changes)))


@door("DELETE", "/v3/webhooks/{webhook_id:str}", answer=Single[Success])
async def delete_webhook(request: Req) -> ASGIResponse:
    """Delete a webhook; nothing more is delivered to it."""
    await services_of(request).webhooks.destroy(await application_of(request), segment(request, "webhook_id"))
    return encoded(Single(request_id(request), Success()))


@door("PUT", "/v3/webhooks/{webhook_id:str}/rotate-secret", answer=Single[WebhookView])
async def rotate_secret(request: Req) -> ASGIResponse:
    """Give a webhook a new secret, in the Python SDK's spelling of the path."""
    return await _rotated(request)


@door("POST", "/v3/webhooks/rotate-secret/{webhook_id:str}", answer=Single[WebhookView])
async def rotate_secret_by_post(request: Req) -> ASGIResponse:
    """Give a webhook a new secret, in the Node SDK's spelling of the path."""
    return await _rotated(request)


async def webhook_of(request: Req) -> Webhook:
    """The application's webhook that the path names. Raises: Unauthorized, NotFound."""
    application = await application_of(request)
    return await services_of(request).webhooks.find(application, segment(request, "webhook_id"))


async def _rotated(request: Req) -> ASGIResponse:
    application = await application_of(request)
    new = await services_of(request).webhooks.rotate_secret(application, segment(request, "webhook_id"))
    return single(request, _new_view(request, new))


def _parted(request: Req, triggers: Sequence[str]) -> tuple[list[str], list[str]]:
    """The two lists in which this caller sees these triggers: what its SDK may read, and ours."""
    ours = OUR_TRIGGERS if is_python_sdk(request) else OUR_TRIGGERS - NODE_TRIGGERS
    return [t for t in triggers if t not in ours], [t for t in triggers if t in ours]


def _changes(body: WebhookBody, before: tuple[list[str], list[str]]) -> WebhookChanges:
    if body.notification_email_addresses is not None and len(body.notification_email_addresses) > _MAX_EMAILS:
        raise InvalidRequest(f"notification_email_addresses holds more than {_MAX_EMAILS} addresses.")
    if body.description is not None and len(body.description) > _MAX_DESCRIPTION:
        raise InvalidRequest(f"description is longer than {_MAX_DESCRIPTION} characters.")
    emails = body.notification_email_addresses
    return WebhookChanges(
        url=body.webhook_url,
        description=body.description,
        trigger_types=_triggers(body, before),
        notification_emails=tuple(emails) if emails is not None else None,
        compressed=body.compressed_delivery,
        ordered=body.ordered,
        status=_status(body.status),
    )


def _triggers(body: WebhookBody, before: tuple[list[str], list[str]]) -> tuple[str, ...] | None:
    """Both lists as one; the one that is left out stays as the caller saw it."""
    if body.trigger_types is None and body.mooring_trigger_types is None:
        return None
    shared, ours = before
    shared = body.trigger_types if body.trigger_types is not None else shared
    ours = body.mooring_trigger_types if body.mooring_trigger_types is not None else ours
    return tuple(dict.fromkeys((*shared, *ours)))


def _status(word: str | None) -> WebhookStatus | None:
    if word is None:
        return None
    try:
        return WebhookStatus(word)
    except ValueError:
        raise InvalidRequest("status can be set to active or pause.") from None


def _view(request: Req, webhook: Webhook, secret: str = "") -> WebhookView:
    shared, ours = _parted(request, webhook.trigger_types)
    return WebhookView(
        id=webhook.id,
        description=webhook.description,
        trigger_types=shared,
        mooring_trigger_types=ours,
        webhook_url=webhook.url,
        status=str(webhook.status),
        notification_email_addresses=webhook.notification_emails,
        compressed_delivery=webhook.compressed,
        ordered=webhook.ordered,
        status_updated_at=unix(webhook.status_updated_at),
        created_at=unix(webhook.created_at),
        updated_at=unix(webhook.updated_at),
        webhook_secret=secret,
    )


def _new_view(request: Req, new: NewWebhook) -> WebhookView:
    return _view(request, new.webhook, new.secret)


ROUTES: tuple[Any, ...] = (
    list_webhooks,
    create_webhook,
    webhook_addresses,
    rotate_secret_by_post,
    find_webhook,
    update_webhook,
    delete_webhook,
    rotate_secret,
)
