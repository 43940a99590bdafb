"""Webhooks in memory: no endpoint is asked, nothing is delivered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mooring.applications import Application
from mooring.config import Generation
from mooring.errors import InvalidRequest, NotFound
from mooring.events import EventType, Recorded
from mooring.webhooks import Attempt, Backlog, DeadLetter, NewWebhook, Webhook, WebhookChanges, WebhookStatus

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

ATTEMPT = Attempt("g1", 7, 2, AT, 12.34, 500, "answered 500")
DEAD = DeadLetter("g1", 6, "message.created", 12, "answered 500", AT)
FACT = Recorded("app-v3", "g1", 7, EventType.MESSAGE_CREATED, AT, {"id": "m1"})


class FakeWebhooks:
    """Keeps webhooks; ``error`` is raised by whatever is called next, if it is set."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.kept: dict[str, Webhook] = {}
        self.asked: list[dict[str, Any]] = []

    async def of_application(self, application: Application, /) -> list[Webhook]:
        return [w for w in self.kept.values() if w.application_id == application.id]

    async def find(self, application: Application, webhook_id: str, /) -> Webhook:
        if webhook_id not in self.kept:
            raise NotFound(f"This application has no webhook {webhook_id!r}.")
        return self.kept[webhook_id]

    async def create(self, application: Application, wanted: WebhookChanges, /) -> NewWebhook:
        if self.error is not None:
            raise self.error
        if not wanted.url:
            raise InvalidRequest("webhook_url is missing.")
        webhook = Webhook(
            id=f"w{len(self.kept) + 1}", application_id=application.id, generation=Generation.V3, region="us",
            url=wanted.url, description=wanted.description or "", trigger_types=wanted.trigger_types or (),
            notification_emails=wanted.notification_emails or (), compressed=bool(wanted.compressed),
            ordered=wanted.ordered is not False, status=wanted.status or WebhookStatus.ACTIVE, status_updated_at=AT,
            created_at=AT, updated_at=AT,
        )  # fmt: skip
        self.kept[webhook.id] = webhook
        return NewWebhook(webhook, "a-secret")

    async def update(self, application: Application, webhook_id: str, changes: WebhookChanges, /) -> Webhook:
        webhook = await self.find(application, webhook_id)
        if changes.trigger_types is not None:
            webhook = replace(webhook, trigger_types=changes.trigger_types)
        if changes.status is not None:
            webhook = replace(webhook, status=changes.status)
        self.kept[webhook_id] = webhook
        return webhook

    async def destroy(self, application: Application, webhook_id: str, /) -> None:
        await self.find(application, webhook_id)
        del self.kept[webhook_id]

    async def rotate_secret(self, application: Application, webhook_id: str, /) -> NewWebhook:
        return NewWebhook(await self.find(application, webhook_id), "another-secret")

    async def send_test(self, application: Application, url: str, type_: EventType, /) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append((application.id, url, type_))

    async def attempts(
        self, webhook: Webhook, /, *, before: datetime | None, failed: bool | None, limit: int
    ) -> list[Attempt]:
        self.asked.append({"before": before, "failed": failed, "limit": limit})
        return [ATTEMPT][:limit]

    async def dead_letters(self, webhook: Webhook, /, *, limit: int, offset: int) -> list[DeadLetter]:
        return [DEAD][offset : offset + limit]

    async def resend(self, webhook: Webhook, /, *, grant_id: str | None, sequences: Sequence[int] | None) -> int:
        self.asked.append({"grant_id": grant_id, "sequences": sequences})
        return 1

    async def backlog(self) -> Backlog:
        if self.error is not None:
            raise self.error
        return Backlog(3, AT, 2, 40, 5)

    async def facts(self, grant_id: str, /, *, after: int, limit: int) -> list[Recorded]:
        self.asked.append({"grant_id": grant_id, "after": after, "limit": limit})
        return [FACT] if after < FACT.sequence else []
