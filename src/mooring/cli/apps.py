"""``mooring app``: applications and their static addresses."""

import getpass
from enum import StrEnum
from typing import Annotated

import typer

from mooring.applications import Application, NewApplication, StaticIps, StaticIpsChange
from mooring.bootstrap import open_installation
from mooring.cli.output import (
    DEFAULT_CONFIG,
    ConfigPath,
    Json,
    console,
    errors,
    read_config,
    run,
    show_json,
    show_table,
)
from mooring.config import Config, Generation, MigrationMode
from mooring.egress import Traffic, kind_for

_STOPPED = {
    Traffic.AUTH: "connecting an account of this application is answered with 503.",
    Traffic.SYNC: "its accounts are not synchronised, and live reads and sending are answered with 503.",
}
"""What goes wrong where there is no pool for a class of traffic, and those that leave as it does."""

cli = typer.Typer(help="Applications: make them, list them, switch their static addresses.", no_args_is_help=True)


class ApplicationGeneration(StrEnum):
    """The generations that an application can be of."""

    V2 = "v2"
    V3 = "v3"


class Switch(StrEnum):
    """What an operator can say."""

    ON = "on"
    OFF = "off"
    DENIED = "denied"


class ModeChoice(StrEnum):
    """How accounts can move."""

    DIRECT = "direct"
    STAGED = "staged"
    POLICY = "policy"


@cli.command("create")
def create(
    name: Annotated[str, typer.Option(help="What people call it.")],
    generation: Annotated[ApplicationGeneration, typer.Option(help="Which API it uses.")] = ApplicationGeneration.V3,
    region: Annotated[str, typer.Option(help="Where it leaves from; one of the declared pools' regions.")] = "us",
    predecessor: Annotated[str, typer.Option(help="Of a v3 application: the v2 one that it takes over from.")] = "",
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Make an application. Its secret is shown this once."""

    async def work() -> tuple[NewApplication, Config]:
        settings = read_config(config)
        async with open_installation(settings, environments=[]) as installation:
            new = await installation.applications.create(
                name=name, generation=Generation(generation), region=region, predecessor_id=predecessor
            )
        return new, settings

    new, settings = run(work(), json=json)
    _warn_of_missing_pools(new.application, settings)
    if json:
        labels = secret_labels(new.application)
        show_json({labels[0]: new.application.id, labels[1]: new.secret})
    else:
        show_secret(new)


def secret_labels(application: Application) -> tuple[str, str]:
    """What the id and the secret are called in this generation (spec §6.4)."""
    if application.generation is Generation.V2:
        return "client_id", "client_secret"
    return "application_id", "api_key"


def show_secret(new: NewApplication) -> None:
    """Print a new application's id and secret for people, once."""
    v2 = new.application.generation is Generation.V2
    console.print(f"{'Client secret' if v2 else 'API key'}: {new.secret}", soft_wrap=True)
    console.print(f"{'Client ID' if v2 else 'Application ID'}: {new.application.id}")
    console.print("[dim]The secret is not shown again.[/]")


@cli.command("list")
def list_applications(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """List all applications."""

    async def work() -> list[Application]:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.applications.every()

    applications = run(work(), json=json)
    if json:
        show_json([_as_json(application) for application in applications])
        return
    show_table(
        ("ID", "NAME", "GENERATION", "REGION", "STATIC IPS"),
        [(a.id, a.name, a.generation, a.region, a.static_ips) for a in applications],
        empty="There is no application yet. `mooring app create --name NAME` makes one.",
    )


@cli.command("set-static-ips")
def set_static_ips(
    application: Annotated[str, typer.Argument(help="The application's id.")],
    state: Switch,
    note: Annotated[str, typer.Option(help="Why; the application is shown it.")] = "",
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Switch an application's static addresses on or off, or deny a request; its accounts move accordingly."""

    async def work() -> tuple[Application, int, Config]:
        settings = read_config(config)
        async with open_installation(settings, environments=[]) as installation:
            decided = await installation.feature.decide(application, StaticIps(state), by=operator(), note=note)
            return *decided, settings

    changed, moved, settings = run(work(), json=json)
    _warn_of_missing_pools(changed, settings)
    if json:
        show_json({**_as_json(changed), "moving": moved})
        return
    console.print(f"Static IPs of {changed.name} are {changed.static_ips}; {moved} accounts begin to move.")
    if moved:
        console.print(f"[dim]`mooring app moves {changed.id}` tells how far they are.[/]")


@cli.command("set-migration-mode")
def set_migration_mode(
    application: Annotated[str, typer.Argument(help="The application's id.")],
    mode: ModeChoice,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Say how an application's accounts move: without a gap, in the two steps of v2, or as the policy says."""

    async def work() -> Application:
        wanted = None if mode is ModeChoice.POLICY else MigrationMode(mode)
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.applications.set_migration_mode(application, wanted)

    changed = run(work(), json=json)
    if json:
        show_json(_as_json(changed))
    else:
        console.print(f"Accounts of {changed.name} move {'as the policy says' if mode == 'policy' else mode}.")


@cli.command("history")
def history(
    application: Annotated[str, typer.Argument(help="The application's id.")],
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Who asked for an application's static addresses, and who decided what, when and why."""

    async def work() -> list[StaticIpsChange]:
        async with open_installation(read_config(config), environments=[]) as installation:
            await installation.applications.get(application)
            return await installation.feature.changes(application)

    changes = run(work(), json=json)
    if json:
        show_json([
            {"at": c.at.isoformat(), "before": str(c.before), "after": str(c.after), "by": c.by, "note": c.note}
            for c in changes
        ])  # fmt: skip
        return
    show_table(
        ("AT (UTC)", "FROM", "TO", "BY", "NOTE"),
        [(f"{c.at:%Y-%m-%d %H:%M:%S}", c.before, c.after, c.by, c.note) for c in changes],
        empty="Nobody has asked for static addresses, and nobody has switched them.",
    )


def operator() -> str:
    """Who is at the terminal, as far as the system knows."""
    try:
        return f"operator {getpass.getuser()}"
    except (KeyError, OSError):
        return "operator"


def _warn_of_missing_pools(application: Application, config: Config) -> None:
    """Say which pools this application needs as it is, and the configuration does not declare."""
    declared = {pool.environment for pool in config.egress.pools}
    for traffic, stopped in _STOPPED.items():
        kind = kind_for(
            traffic,
            generation=application.generation,
            feature_on=application.feature_on,
            placement=application.placement,
        )
        missing = application.environment(kind)
        if missing not in declared:
            errors.print(f"[bold yellow]warning:[/] {config.path} declares no pool {missing}: {stopped}")
            errors.print(
                f'→ Add a [[egress.pool]] with generation = "{missing.generation}", region = "{missing.region}",'
                f' kind = "{missing.kind}" and its sources; then start Mooring again.',
                markup=False,
            )


def _as_json(application: Application) -> dict[str, str]:
    return {
        "application_id": application.id,
        "name": application.name,
        "generation": str(application.generation),
        "region": application.region,
        "static_ips": str(application.static_ips),
        "migration_mode": str(application.migration_mode or "policy"),
        "predecessor_id": application.predecessor_id,
    }
