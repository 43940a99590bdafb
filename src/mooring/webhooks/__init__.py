"""Webhooks: what happened, delivered to whoever wants to hear of it, until it is taken.

It reads the outbox and the stored copies, and leaves by the webhook pool; it knows no mail server. Start at
``service.py`` for what an application does with its webhooks, at ``deliverer.py`` and ``delivery.py`` for how facts
reach them; the rules are in ``schedule.py``, what is sent in ``catalogue.py`` and ``notices.py``.
"""

from mooring.webhooks.catalogue import CATALOGUE, NODE_TRIGGERS, OUR_TRIGGERS, TRIGGERS, Entry
from mooring.webhooks.deliverer import Deliverer
from mooring.webhooks.feed import Feed
from mooring.webhooks.notices import notice_id, sample
from mooring.webhooks.objects import Objects
from mooring.webhooks.repository.lanes import Backlog, forget_deliveries
from mooring.webhooks.service import Webhooks
from mooring.webhooks.types import (
    Attempt,
    DeadLetter,
    NewWebhook,
    Webhook,
    WebhookChanges,
    WebhookStatus,
    webhook_environment,
)

__all__ = [
    "CATALOGUE",
    "NODE_TRIGGERS",
    "OUR_TRIGGERS",
    "TRIGGERS",
    "Attempt",
    "Backlog",
    "DeadLetter",
    "Deliverer",
    "Entry",
    "Feed",
    "NewWebhook",
    "Objects",
    "Webhook",
    "WebhookChanges",
    "WebhookStatus",
    "Webhooks",
    "forget_deliveries",
    "notice_id",
    "sample",
    "webhook_environment",
]
