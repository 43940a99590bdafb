"""``mooring grant``: connected accounts, for the operator."""

from typing import Annotated

import typer

from mooring.bootstrap import Installation, open_installation
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, read_config, run, show_json, show_table
from mooring.egress import LedgerEntry
from mooring.errors import NotFound
from mooring.grants import Grant, GrantQuery

cli = typer.Typer(help="Connected accounts: list them, and see where they were dialled from.", no_args_is_help=True)


@cli.command("list")
def list_grants(
    application: Annotated[str, typer.Argument(help="The application's id.")],
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """List an application's accounts, the newest first."""

    async def work() -> list[Grant]:
        async with open_installation(read_config(config), environments=[]) as installation:
            owner = await installation.applications.get(application)
            found: list[Grant] = []
            while batch := await installation.grants.list(owner, GrantQuery(limit=200, offset=len(found))):
                found += batch
            return found

    grants = run(work(), json=json)
    if json:
        show_json(
            [
                {"id": g.id, "email": g.email, "status": str(g.status), "environment": str(g.environment),
                 "synced_at": g.synced_at, "sync_error": g.sync_error}
                for g in grants
            ]
        )  # fmt: skip
        return
    show_table(
        ("ID", "E-MAIL", "STATUS", "ENVIRONMENT", "IN STEP", "FAILURE"),
        [
            (g.id, g.email, g.status, g.environment, f"{g.synced_at:%Y-%m-%d %H:%M:%S}" if g.synced_at else "not yet",
             (g.sync_error or {}).get("message", ""))
            for g in grants
        ],
        empty="This application has no account yet. POST /v3/connect/custom makes one.",
    )  # fmt: skip


@cli.command("connections")
def connections(
    grant: Annotated[str, typer.Argument(help="The grant's id.")],
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 50,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Show the ledger of one account: every connection that was made for it, and from where."""

    async def work() -> list[LedgerEntry]:
        async with open_installation(read_config(config), environments=[]) as installation:
            found = await find_grant(installation, grant)
            return await installation.ledger.entries(
                application_id=found.application_id, subject=found.subject, limit=limit
            )

    entries = run(work(), json=json)
    if json:
        show_json(entries)
    else:
        show_ledger(entries, empty="Nothing was dialled for this account.")


async def find_grant(installation: Installation, grant: str) -> Grant:
    """The grant with this id, whichever application's it is.

    Raises:
        NotFound: with the command that lists them.
    """
    try:
        return await installation.grants.get(grant)
    except NotFound as e:
        raise NotFound(e.message, hint="`mooring grant list APPLICATION` lists an application's.") from None


def show_ledger(entries: list[LedgerEntry], *, empty: str) -> None:
    """Print ledger entries for people; ``empty`` says what it means that there are none."""
    show_table(
        ("AT (UTC)", "CLASS", "FROM", "ENVIRONMENT", "SERVER", "ACCOUNT", "OUTCOME", "MS"),
        [_row(entry) for entry in entries],
        empty=empty,
    )


def _row(entry: LedgerEntry) -> tuple[str, ...]:
    return (
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        entry.traffic,
        entry.source_address or "-",
        entry.environment,
        f"{entry.host}:{entry.port}",
        entry.grant_id or "-",
        " ".join(word for word in (entry.outcome, entry.phase, entry.cause) if word),
        "" if entry.connect_ms is None else f"{entry.connect_ms:.0f}",
    )
