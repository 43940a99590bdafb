"""An application's webhooks in v2: what it is told of, signed with its client secret (contract 6.5)."""

import msgspec
from litestar.response.base import ASGIResponse

from mooring.api.answers import encoded
from mooring.api.auth import v2_application_of
from mooring.api.bodies import json_of
from mooring.api.doors import Req, door, services_of
from mooring.api.paths import segment
from mooring.api.queries import query_of
from mooring.api.v2.views import SuccessView
from mooring.errors import InvalidRequest
from mooring.webhooks import Webhook, WebhookChanges, WebhookStatus

DEFAULT_LIMIT = 100
"""Webhooks on a page; there are fewer."""

_INACTIVE = "inactive"
_STATES = {"active": WebhookStatus.ACTIVE, _INACTIVE: WebhookStatus.PAUSED}
"""What ``state`` can be set to."""


class WebhookBody(msgspec.Struct):
    """The body of create and update; in an update only ``state`` can differ from what it was."""

    callback_url: str | None = None
    triggers: list[str] | None = None
    state: str | None = None


class WebhookView(msgspec.Struct):
    """A webhook; ``state`` is also ``failing`` or ``failed``."""

    id: str
    application_id: str
    callback_url: str
    state: str
    triggers: tuple[str, ...]
    version: str = "2.0"


@door("GET", "/a/{client_id:str}/webhooks", answer=list[WebhookView], query=("limit", "offset"))
async def list_webhooks(request: Req) -> ASGIResponse:
    """List the application's webhooks."""
    application = await v2_application_of(request)
    query = query_of(request)
    limit, offset = query.limit(DEFAULT_LIMIT), query.offset()
    webhooks = await services_of(request).webhooks.of_application(application)
    return encoded([_view(webhook) for webhook in webhooks[offset : offset + limit]])


@door("POST", "/a/{client_id:str}/webhooks", answer=WebhookView, body=WebhookBody)
async def create_webhook(request: Req) -> ASGIResponse:
    """Make a webhook, once its endpoint has answered the challenge."""
    application = await v2_application_of(request)
    body = await json_of(request, WebhookBody)
    wanted = WebhookChanges(
        url=body.callback_url,
        trigger_types=tuple(body.triggers) if body.triggers is not None else None,
        status=_status(body.state),
    )
    return encoded(_view((await services_of(request).webhooks.create(application, wanted)).webhook))


@door("GET", "/a/{client_id:str}/webhooks/{webhook_id:str}", answer=WebhookView)
async def find_webhook(request: Req) -> ASGIResponse:
    """Find a webhook."""
    application = await v2_application_of(request)
    return encoded(_view(await services_of(request).webhooks.find(application, segment(request, "webhook_id"))))


@door("PUT", "/a/{client_id:str}/webhooks/{webhook_id:str}", answer=WebhookView, body=WebhookBody)
async def update_webhook(request: Req) -> ASGIResponse:
    """Switch a webhook off, or on again, after another challenge."""
    application = await v2_application_of(request)
    service = services_of(request).webhooks
    before = await service.find(application, segment(request, "webhook_id"))
    body = await json_of(request, WebhookBody)
    moved = body.callback_url is not None and body.callback_url != before.url
    if moved or (body.triggers is not None and set(body.triggers) != set(before.trigger_types)):
        raise InvalidRequest(
            "Of a webhook only its state can be changed.", hint="Make another one, and delete this one."
        )
    return encoded(_view(await service.update(application, before.id, WebhookChanges(status=_status(body.state)))))


@door("DELETE", "/a/{client_id:str}/webhooks/{webhook_id:str}", answer=SuccessView)
async def delete_webhook(request: Req) -> ASGIResponse:
    """Delete a webhook; nothing more is delivered to it."""
    application = await v2_application_of(request)
    await services_of(request).webhooks.destroy(application, segment(request, "webhook_id"))
    return encoded(SuccessView())


def _status(state: str | None) -> WebhookStatus | None:
    if state is None:
        return None
    if state not in _STATES:
        raise InvalidRequest("state can be set to active or inactive.")
    return _STATES[state]


def _view(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        application_id=webhook.application_id,
        callback_url=webhook.url,
        state=_INACTIVE if webhook.status is WebhookStatus.PAUSED else str(webhook.status),
        triggers=webhook.trigger_types,
    )


ROUTES = (list_webhooks, create_webhook, find_webhook, update_webhook, delete_webhook)
