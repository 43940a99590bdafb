"""``mooring keys``: the key ring."""

import typer

from mooring.bootstrap import open_installation
from mooring.cli.output import DEFAULT_CONFIG, ConfigPath, Json, console, read_config, run, show_json

cli = typer.Typer(help="The key ring that seals what is secret.", no_args_is_help=True)


@cli.command("rotate")
def rotate(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Add a new key, and seal everything anew with it. Old keys stay in the ring, for backups."""

    async def work() -> tuple[str, int]:
        async with open_installation(read_config(config), environments=[]) as installation:
            key_id = installation.vault.rotate()
            # What a diagnosis holds is erased within minutes; old keys open it until then.
            rooms = (installation.applications, installation.keys, installation.webhooks, installation.watches)
            return key_id, sum([await room.reseal() for room in rooms])

    key_id, resealed = run(work(), json=json)
    if json:
        show_json({"key_id": key_id, "resealed": resealed})
        return
    console.print(f"The key {key_id} is active now; {resealed} secrets were sealed anew. Back the key ring up.")
