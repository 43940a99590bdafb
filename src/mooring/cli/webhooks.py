"""``mooring webhook``: who is told what happens, and what became of that."""

from typing import Annotated

import typer

from mooring.bootstrap import open_installation
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, read_config, run, show_json, show_table
from mooring.webhooks import Attempt, DeadLetter, Webhook

cli = typer.Typer(help="Webhooks: how they are doing, and what they were not told.", no_args_is_help=True)

WebhookId = Annotated[str, typer.Argument(help="The webhook's id, as `mooring webhook list` shows it.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")]


@cli.command("list")
def list_webhooks(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """List the webhooks of all applications."""

    async def work() -> list[Webhook]:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.webhooks.every()

    webhooks = run(work(), json=json)
    if json:
        show_json([_webhook(w) for w in webhooks])
        return
    show_table(
        ("ID", "APPLICATION", "STATUS", "SINCE", "URL", "TRIGGERS"),
        [(w.id, w.application_id, w.status, w.status_updated_at, w.url, len(w.trigger_types)) for w in webhooks],
        empty="There is no webhook yet. Applications make them: POST /v3/webhooks.",
    )


@cli.command("attempts")
def attempts(
    webhook: WebhookId,
    failed: Annotated[bool, typer.Option("--failed", help="Only what was not taken.")] = False,
    limit: Limit = 50,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Show what was tried to deliver to a webhook, the latest first."""

    async def work() -> list[Attempt]:
        async with open_installation(read_config(config), environments=[]) as installation:
            found = await installation.webhooks.by_id(webhook)
            return await installation.webhooks.attempts(found, failed=True if failed else None, limit=limit)

    found = run(work(), json=json)
    if json:
        show_json(found)
        return
    show_table(
        ("AT", "GRANT", "FACT", "TRY", "STATUS", "MS", "REASON"),
        [(a.at, a.grant_id, a.sequence, a.attempt, a.status or "–", round(a.duration_ms), a.reason) for a in found],
        empty="Nothing was tried.",
    )


@cli.command("dead-letters")
def dead_letters(
    webhook: WebhookId, limit: Limit = 50, json: Json = False, config: ConfigPath = DEFAULT_CONFIG
) -> None:
    """Show the facts that were given up, the latest first."""

    async def work() -> list[DeadLetter]:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.webhooks.dead_letters(await installation.webhooks.by_id(webhook), limit=limit)

    found = run(work(), json=json)
    if json:
        show_json(found)
        return
    show_table(
        ("GIVEN UP", "GRANT", "FACT", "TYPE", "TRIES", "REASON"),
        [(d.parked_at, d.grant_id, d.sequence, d.type, d.attempts, d.reason) for d in found],
        empty="There is no dead letter.",
    )


@cli.command("resend")
def resend(
    webhook: WebhookId,
    grant: Annotated[str | None, typer.Option(help="Only those of this grant.")] = None,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Have dead letters sent again."""

    async def work() -> int:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.webhooks.resend(await installation.webhooks.by_id(webhook), grant_id=grant)

    resent = run(work(), json=json)
    if json:
        show_json({"resent": resent})
        return
    console.print(f"{resent} dead letters are on their way again.")


def _webhook(webhook: Webhook) -> dict[str, object]:
    return {
        "id": webhook.id,
        "application_id": webhook.application_id,
        "url": webhook.url,
        "status": str(webhook.status),
        "status_updated_at": webhook.status_updated_at,
        "trigger_types": webhook.trigger_types,
        "ordered": webhook.ordered,
        "compressed": webhook.compressed,
    }
