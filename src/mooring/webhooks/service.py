"""What an application can do with its webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.applications import Application
from mooring.clock import Clock
from mooring.config import Generation
from mooring.egress import Dialer
from mooring.errors import Conflict, InvalidRequest, NotFound
from mooring.events import EventType
from mooring.ids import new_id
from mooring.jobs import LeaseKind, hold, nudge, offer, withdraw
from mooring.store import Connection, Database
from mooring.vault import Vault
from mooring.webhooks.catalogue import OUR_TRIGGERS, TRIGGERS, V2_TRIGGERS
from mooring.webhooks.challenge import challenge, check_url
from mooring.webhooks.rehearsal import send_test
from mooring.webhooks.repository import endpoints, lanes
from mooring.webhooks.secrets import first_sealed_secret, new_sealed_secret, secret_context
from mooring.webhooks.types import Attempt, DeadLetter, NewWebhook, Webhook, WebhookChanges, WebhookStatus

MAX_WEBHOOKS = 50
"""Webhooks of one application; every fact is delivered to each of them."""


class Webhooks:
    """Makes webhooks, changes them, and tells how they are doing."""

    def __init__(self, db: Database, vault: Vault, dialer: Dialer, clock: Clock) -> None:
        self._db = db
        self._vault = vault
        self._dialer = dialer
        self._clock = clock

    async def of_application(self, application: Application) -> list[Webhook]:
        """The application's webhooks, oldest first."""
        return await endpoints.of_application(self._db, application.id)

    async def find(self, application: Application, webhook_id: str) -> Webhook:
        """Raises: NotFound."""
        webhook = await endpoints.by_id(self._db, webhook_id)
        if webhook is None or webhook.application_id != application.id:
            raise _no_such(application, webhook_id)
        return webhook

    async def create(self, application: Application, wanted: WebhookChanges) -> NewWebhook:
        """Make a webhook, once its endpoint has passed the challenge. It hears of what happens from now on.

        With a status of paused it hears nothing before it is switched on.

        Raises:
            InvalidRequest: no URL or no triggers, or the endpoint did not pass.
            Conflict: there are too many already.
            EgressError, TargetNotAllowed.
        """
        words = _WORDS[application.generation]
        if not wanted.url:
            raise InvalidRequest(f"{words.url} is missing.")
        if not wanted.trigger_types:
            raise InvalidRequest(f"{words.triggers} is missing or empty.")
        _check_triggers(wanted.trigger_types, application)
        check_url(wanted.url, words.url)
        _check_status(wanted.status)
        if len(await self.of_application(application)) >= MAX_WEBHOOKS:
            raise Conflict(f"An application has {MAX_WEBHOOKS} webhooks at most.", hint="Delete one that is not used.")
        webhook = _draft(application, wanted, self._clock.now())
        await challenge(self._dialer, webhook)
        secret, sealed = await first_sealed_secret(self._db, self._vault, application, webhook.id)
        async with self._db.transaction() as tx:
            await endpoints.insert(
                tx,
                {
                    "id": webhook.id,
                    "application_id": application.id,
                    "url": webhook.url,
                    "description": webhook.description,
                    "trigger_types": list(webhook.trigger_types),
                    "notification_emails": list(webhook.notification_emails),
                    "secret": sealed,
                    "compressed": webhook.compressed,
                    "ordered": webhook.ordered,
                    "status": str(webhook.status),
                },
            )
            await lanes.begin_here(tx, webhook.id, application.id)
            if webhook.status.delivers:
                await offer(tx, LeaseKind.WEBHOOK, webhook.id, str(webhook.environment))
        return NewWebhook(await self.find(application, webhook.id), secret)

    async def update(self, application: Application, webhook_id: str, changes: WebhookChanges) -> Webhook:
        """Change what is given. A new URL, and one that is switched on again, has to pass the challenge.

        With a new URL, or when one that is failing is set to active, whatever rests is tried at once.
        Switched on again, it hears of what happens from then on; what it missed are dead letters, or can be read
        again with a cursor.

        Raises:
            NotFound, InvalidRequest, EgressError, TargetNotAllowed.
        """
        webhook = await self.find(application, webhook_id)
        if changes.trigger_types is not None:
            _check_triggers(changes.trigger_types, application)
        if changes.url is not None:
            check_url(changes.url, _WORDS[application.generation].url)
        _check_status(changes.status)
        wakes = changes.status is WebhookStatus.ACTIVE and not webhook.status.delivers
        moves = changes.url is not None and changes.url != webhook.url
        if wakes or moves:
            await challenge(self._dialer, _draft(application, changes, self._clock.now(), before=webhook))
        async with self._db.transaction() as tx:
            await self._change(tx, webhook, changes, wakes=wakes)
            if moves or (changes.status is WebhookStatus.ACTIVE and webhook.status is WebhookStatus.FAILING):
                await lanes.rest_no_more(tx, webhook.id)
        return await self.find(application, webhook_id)

    async def _change(self, tx: Connection, webhook: Webhook, changes: WebhookChanges, *, wakes: bool) -> None:
        await hold(tx, LeaseKind.WEBHOOK, [webhook.id])
        status = WebhookStatus.ACTIVE if wakes else changes.status
        if status is WebhookStatus.ACTIVE and webhook.status.delivers:
            status = None  # one that is failing goes on being so until something is taken
        values: dict[str, Any] = {} if status is None else {"status": str(status)}
        for column, value in (
            ("url", changes.url),
            ("description", changes.description),
            ("trigger_types", changes.trigger_types),
            ("notification_emails", changes.notification_emails),
            ("compressed", changes.compressed),
            ("ordered", changes.ordered),
        ):
            if value is not None:
                values[column] = list(value) if isinstance(value, tuple) else value
        await endpoints.update(tx, webhook.id, values)
        if wakes:
            await lanes.begin_here(tx, webhook.id, webhook.application_id)
        if wakes or (webhook.status.delivers and status is not WebhookStatus.PAUSED):
            await offer(tx, LeaseKind.WEBHOOK, webhook.id, str(webhook.environment))
        else:
            await withdraw(tx, LeaseKind.WEBHOOK, webhook.id)

    async def destroy(self, application: Application, webhook_id: str) -> None:
        """Delete the webhook, and what is kept of its deliveries. Raises: NotFound."""
        async with self._db.transaction() as tx:
            await withdraw(tx, LeaseKind.WEBHOOK, webhook_id)
            if not await endpoints.delete(tx, application.id, webhook_id):
                raise _no_such(application, webhook_id)

    async def rotate_secret(self, application: Application, webhook_id: str) -> NewWebhook:
        """Give the webhook a new secret; deliveries are signed with it within a second. Raises: NotFound."""
        webhook = await self.find(application, webhook_id)
        secret, sealed = new_sealed_secret(self._vault, webhook.id)
        async with self._db.transaction() as tx:
            await hold(tx, LeaseKind.WEBHOOK, [webhook.id])
            await endpoints.update(tx, webhook.id, {"secret": sealed})
            if webhook.status.delivers:
                await offer(tx, LeaseKind.WEBHOOK, webhook.id, str(webhook.environment))
        return NewWebhook(await self.find(application, webhook.id), secret)

    async def send_test(self, application: Application, url: str, type_: EventType) -> None:
        """Deliver a sample of this event to this URL, once; it need not be a webhook's.

        Raises:
            InvalidRequest: the URL is none, or the endpoint did not take it.
            EgressError, TargetNotAllowed.
        """
        check_url(url, _WORDS[application.generation].url)
        now = self._clock.now()
        await send_test(self._dialer, _draft(application, WebhookChanges(url=url), now), type_, int(now.timestamp()))

    async def attempts(
        self, webhook: Webhook, *, before: datetime | None = None, failed: bool | None = None, limit: int = 50
    ) -> list[Attempt]:
        """What was tried, the latest first."""
        return await lanes.attempts(self._db, webhook.id, before=before, failed=failed, limit=limit)

    async def dead_letters(self, webhook: Webhook, *, limit: int = 50, offset: int = 0) -> list[DeadLetter]:
        """What was given up, the latest first."""
        return await lanes.dead_letters(self._db, webhook.id, limit=limit, offset=offset)

    async def resend(
        self, webhook: Webhook, *, grant_id: str | None = None, sequences: Sequence[int] | None = None
    ) -> int:
        """Have dead letters sent again: all, or those of one grant, or these of it; returns how many.

        Raises:
            Conflict: the webhook delivers nothing just now.
        """
        if not webhook.status.delivers:
            raise Conflict(
                f"The webhook is {webhook.status}, so nothing is sent.", hint="Set its status to active first."
            )
        async with self._db.transaction() as tx:
            count = await lanes.resend(tx, webhook.id, grant_id, sequences)
            await nudge(tx, LeaseKind.WEBHOOK, webhook.id)
        return count

    async def every(self) -> list[Webhook]:
        """All webhooks of all applications, for the operator."""
        return await endpoints.every(self._db)

    async def by_id(self, webhook_id: str) -> Webhook:
        """Any application's webhook, for the operator. Raises: NotFound."""
        webhook = await endpoints.by_id(self._db, webhook_id)
        if webhook is None:
            raise NotFound(f"There is no webhook {webhook_id!r}.", hint="`mooring webhook list` shows them.")
        return webhook

    async def backlog(self) -> lanes.Backlog:
        """What all webhooks together have not delivered yet, and whether they get on."""
        return await lanes.backlog(self._db)

    async def reseal(self) -> int:
        """Seal every secret with the ring's active key; returns how many were not."""
        changed = 0
        for webhook_id, sealed in await endpoints.sealed_secrets(self._db):
            if self._vault.needs_reseal(sealed):
                new = self._vault.reseal(sealed, context=secret_context(webhook_id))
                await endpoints.replace_secret(self._db, webhook_id, sealed, new)
                changed += 1
        return changed


@dataclass(frozen=True, slots=True)
class _Words:
    """What a generation of the API calls things."""

    url: str
    triggers: str
    known: frozenset[str]
    list: str


_WORDS = {
    Generation.V3: _Words("webhook_url", "trigger_types", TRIGGERS | OUR_TRIGGERS, "GET /v3/webhooks"),
    Generation.V2: _Words("callback_url", "triggers", V2_TRIGGERS, "GET /a/{client_id}/webhooks"),
}


def _no_such(application: Application, webhook_id: str) -> NotFound:
    hint = f"{_WORDS[application.generation].list} lists them."
    return NotFound(f"This application has no webhook {webhook_id!r}.", hint=hint)


def _check_status(status: WebhookStatus | None) -> None:
    if status not in {None, WebhookStatus.ACTIVE, WebhookStatus.PAUSED}:
        raise InvalidRequest("status can be set to active or pause.")


def _check_triggers(triggers: Sequence[str], application: Application) -> None:
    words = _WORDS[application.generation]
    known = words.known
    if unknown := sorted(set(triggers) - known):
        raise InvalidRequest(
            f"{words.triggers}: there is no {', '.join(map(repr, unknown[:5]))}.",
            hint=f"There are: {', '.join(sorted(known))}.",
        )


def _draft(
    application: Application, wanted: WebhookChanges, now: datetime, *, before: Webhook | None = None
) -> Webhook:
    """The webhook as it would be."""
    return Webhook(
        id=before.id if before else new_id(),
        application_id=application.id,
        generation=application.generation,
        region=application.region,
        url=wanted.url or (before.url if before else ""),
        description=wanted.description or "",
        trigger_types=tuple(dict.fromkeys(wanted.trigger_types or ())),
        notification_emails=wanted.notification_emails or (),
        compressed=bool(wanted.compressed),
        ordered=wanted.ordered is not False,
        status=wanted.status or WebhookStatus.ACTIVE,
        status_updated_at=now,
        created_at=now,
        updated_at=now,
    )
