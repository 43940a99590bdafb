"""The webhooks' table."""

from typing import Any

from mooring.config import Generation
from mooring.store import Connection, Database
from mooring.webhooks.types import Webhook, WebhookStatus

_SELECT = """
SELECT w.id, w.application_id, a.generation, a.region, w.url, w.description, w.trigger_types, w.notification_emails,
       w.compressed, w.ordered, w.status, w.status_updated_at, w.created_at, w.updated_at
FROM webhooks w JOIN applications a ON a.id = w.application_id
"""


def _webhook(row: Any) -> Webhook:
    fields = dict(row)
    fields["generation"] = Generation(row["generation"])
    fields["status"] = WebhookStatus(row["status"])
    fields["trigger_types"] = tuple(row["trigger_types"])
    fields["notification_emails"] = tuple(row["notification_emails"])
    return Webhook(**fields)


async def insert(tx: Connection, values: dict[str, Any]) -> None:
    """Write a new webhook; ``values`` by column."""
    columns = ", ".join(values)
    places = ", ".join(f"${i}" for i in range(1, len(values) + 1))
    await tx.execute(f"INSERT INTO webhooks ({columns}) VALUES ({places})", *values.values())


async def update(tx: Connection, webhook_id: str, values: dict[str, Any]) -> None:
    """Change these columns."""
    sets = "".join(f"{column} = ${i}, " for i, column in enumerate(values, start=2))
    status = "status_updated_at = CASE WHEN status = $2 THEN status_updated_at ELSE now() END, "
    await tx.execute(
        f"UPDATE webhooks SET {sets}{status if next(iter(values), '') == 'status' else ''}updated_at = now() "
        "WHERE id = $1",
        webhook_id, *values.values(),
    )  # fmt: skip


async def delete(tx: Connection, application_id: str, webhook_id: str) -> bool:
    """Delete the webhook with all that hangs on it; False when it was not there."""
    result = await tx.execute("DELETE FROM webhooks WHERE id = $1 AND application_id = $2", webhook_id, application_id)
    return result != "DELETE 0"


async def of_application(db: Database, application_id: str) -> list[Webhook]:
    """The application's webhooks, oldest first."""
    rows = await db.fetch(f"{_SELECT} WHERE w.application_id = $1 ORDER BY w.created_at, w.id", application_id)
    return [_webhook(row) for row in rows]


async def every(db: Database) -> list[Webhook]:
    """All webhooks, oldest first."""
    return [_webhook(row) for row in await db.fetch(f"{_SELECT} ORDER BY w.created_at, w.id")]


async def by_id(db: Database, webhook_id: str) -> Webhook | None:
    """One webhook, of whichever application."""
    row = await db.fetchrow(f"{_SELECT} WHERE w.id = $1", webhook_id)
    return _webhook(row) if row else None


async def by_ids(db: Database, webhook_ids: list[str]) -> list[Webhook]:
    """These webhooks."""
    return [_webhook(row) for row in await db.fetch(f"{_SELECT} WHERE w.id = ANY ($1)", webhook_ids)]


async def secret(db: Database, webhook_id: str) -> bytes | None:
    """The sealed secret."""
    return await db.fetchval("SELECT secret FROM webhooks WHERE id = $1", webhook_id)


async def sealed_secrets(db: Database) -> list[tuple[str, bytes]]:
    """Every sealed secret with its webhook's id, for sealing anew."""
    return [(row["id"], row["secret"]) for row in await db.fetch("SELECT id, secret FROM webhooks")]


async def replace_secret(db: Database, webhook_id: str, old: bytes, new: bytes) -> None:
    """Put the newly sealed secret in the place of the old one, if nobody else did meanwhile."""
    await db.execute("UPDATE webhooks SET secret = $3 WHERE id = $1 AND secret = $2", webhook_id, old, new)


async def generation_of(db: Database, application_id: str) -> Generation:
    """The generation of an application: it decides the shape of a delivery."""
    return Generation(await db.fetchval("SELECT generation FROM applications WHERE id = $1", application_id))
