"""``mooring api`` and ``mooring worker``: the two kinds of processes. ``mooring up`` runs an API and two workers."""

from typing import Annotated

import typer

from mooring.api import serve
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, read_config, run
from mooring.dashboard import ROOT, dashboard_of
from mooring.worker import work

Environments = Annotated[
    list[str] | None,
    typer.Option("--environment", help="An environment to leave by, such as v3-us-static; may be repeated."),
]
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]


def api(
    environment: Environments = None,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
    supervised: Supervised = False,
) -> None:
    """Serve the API and the dashboard."""

    async def process() -> None:
        await serve(read_config(config), environment, supervised=supervised, beside={ROOT: dashboard_of})

    run(process(), json=json)


def worker(
    environment: Environments = None,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
    supervised: Supervised = False,
) -> None:
    """Hold mailboxes and keep them in step; of webhook pools, hold webhooks and deliver to them."""

    async def process() -> None:
        await work(read_config(config), environment, supervised=supervised)

    run(process(), json=json)
