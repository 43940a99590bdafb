"""``mooring egress`` and ``mooring ips``: the exits, as configured, as published and as really seen."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from mooring.bootstrap import open_installation
from mooring.cli.grants import find_grant, show_ledger
from mooring.cli.guard import user_of
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
from mooring.config import Config, parse_duration, starter_toml
from mooring.egress import (
    GuardState,
    LedgerEntry,
    Route,
    SourceCheck,
    Traffic,
    check_sources,
    host_addresses,
    known_state,
    lacking,
)
from mooring.errors import Conflict, InvalidRequest
from mooring.grants import way_of

NO_POOL = "No pool is declared. docs/configuration.md shows how, under [[egress.pool]]."

cli = typer.Typer(help="The exits: sources, pools, and which of them an account leaves by.", no_args_is_help=True)


@cli.command("init")
def init(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Write a starter configuration from this host's addresses."""

    async def work() -> str:
        if config.exists():
            raise Conflict(f"{config} exists, and is left as it is.", hint="Move it away first to start anew.")
        text = starter_toml(host_addresses())
        config.write_text(text, encoding="utf-8")
        return text

    text = run(work(), json=json)
    if json:
        show_json({"path": str(config.resolve())})
    else:
        console.print(text, markup=False)
        console.print(f"Wrote {config}.")


@cli.command("list")
def list_sources(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """List the pools and their sources, and the sources that are in no pool."""

    async def work() -> Config:
        return read_config(config)

    egress = run(work(), json=json).egress
    used = {source.name for pool in egress.pools for source in pool.sources}
    rows = [(str(p.environment), s.name, str(s.address), str(s.via), s.weight) for p in egress.pools for s in p.sources]
    rows += [("", s.name, str(s.address), str(s.via), s.weight) for s in egress.sources if s.name not in used]
    if json:
        names = ("environment", "source", "address", "via", "weight")
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    show_table(
        ("ENVIRONMENT", "SOURCE", "ADDRESS", "VIA", "WEIGHT"),
        [(environment or "in no pool", *rest) for environment, *rest in rows],
        empty=NO_POOL,
    )


def ips(json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Show the address lists as they are published."""

    async def work() -> list[dict[str, Any]]:
        settings = read_config(config)
        async with open_installation(settings, environments=[]) as installation:
            lists = [installation.allowlist.list_of(pool.environment) for pool in settings.egress.pools]
        return [
            {
                "environment": str(published.environment),
                "version": published.version,
                "updated_at": published.updated_at,
                "ip_addresses": published.ip_addresses,
            }
            for published in lists
        ]

    lists = run(work(), json=json)
    if json:
        show_json(lists)
        return
    show_table(
        ("ENVIRONMENT", "VERSION", "ADDRESSES"),
        [(item["environment"], item["version"], " ".join(item["ip_addresses"])) for item in lists],
        empty="No pool is declared, so nothing is published.",
    )


@cli.command("check")
def check(
    reflector: Annotated[
        str, typer.Option(help="A URL that answers with the caller's address, such as another host's /reflect.")
    ] = "",
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Check every source: that it can be used, and (with a reflector) that what is seen is what is published."""

    async def work() -> tuple[list[SourceCheck], GuardState]:
        settings = read_config(config)
        async with open_installation(settings, plumbed=False) as installation:
            guard = await known_state(user_of(settings).uid, installation.clock)
            return await check_sources(installation.dialer, settings.egress.pools, reflector, guard), guard

    checks, guard = run(work(), json=json)
    if json:
        show_json(checks)
    else:
        show_table(
            ("ENVIRONMENT", "SOURCE", "PUBLISHED", "SEEN", "GUARD", "RESULT"),
            [
                (c.environment, c.source, c.published, c.seen or "-", c.guard.replace("_", " "), c.verdict)
                for c in checks
            ],
            empty=NO_POOL,
        )
    if guard.leaks:
        errors.print(
            f"[bold yellow]warning:[/] the kernel has counted {guard.leaks} connections from addresses of no pool; "
            "mooring egress guard --watch tells where they go"
        )
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


@cli.command("connections")
def connections(
    server: Annotated[str, typer.Option(help="Only to this server: a host name, or a resolved address.")] = "",
    source: Annotated[str, typer.Option(help="Only from this source: one of our addresses, or its name.")] = "",
    since: Annotated[str, typer.Option(help="Only of this last while, such as 2h or 7d.")] = "1d",
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 100,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Ask the ledger: which of our addresses contacted this server, for whom, when."""

    async def work() -> list[LedgerEntry]:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.ledger.entries(
                server=server or None,
                source=source or None,
                since=installation.clock.now() - _duration(since),
                limit=limit,
            )

    entries = run(work(), json=json)
    if json:
        show_json(entries)
    else:
        which = "Nothing that matches" if server or source else "Nothing"
        show_ledger(entries, empty=f"{which} was dialled in the last {since}.")


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as e:
        raise InvalidRequest(f"--since: {e}.") from e


@cli.command("explain")
def explain(
    grant: Annotated[str, typer.Argument(help="The grant's id.")],
    traffic: Annotated[Traffic, typer.Option(help="The traffic class.")] = Traffic.SYNC,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Say by which source an account's next connection would leave, and why, without dialling."""

    async def work() -> list[dict[str, Any]]:
        async with open_installation(read_config(config), plumbed=False) as installation:
            found = await find_grant(installation, grant)
            server = found.settings.smtp if traffic is Traffic.SEND else found.settings.imap
            if server is None:
                raise InvalidRequest(f"{found.email} has no SMTP server, so it sends nothing.")
            way = way_of(found, traffic)
            routes = await installation.dialer.explain(way.dial(server.host, server.port, tls=False))
            return [
                {
                    "traffic": str(traffic),
                    "environment": str(way.environment),
                    "placement": str(found.environment),
                    "server": f"{server.host}:{server.port}",
                    "remote": str(route.remote),
                    "source": route.source.name,
                    "address": str(route.source.address),
                    "via": str(route.source.via),
                    "reason": _because(route),
                    "plumbed": lacking(route.source) is None,
                }
                for route in routes
            ]

    routes = run(work(), json=json)
    if json:
        show_json(routes)
        return
    show_table(
        ("CLASS", "SERVER", "ENVIRONMENT", "FROM", "VIA", "BECAUSE", "PLACEMENT"),
        [
            (r["traffic"], _server(r), r["environment"], r["address"], r["via"], r["reason"], r["placement"])
            for r in routes
        ],
        empty="There is no way.",
    )


def _because(route: Route) -> str:
    """Why it is this source, and what keeps a dial from leaving by it."""
    missing = lacking(route.source)
    if missing is None:
        return route.reason
    return f"{route.reason}; it is not plumbed: {missing} is not an address of this host, so nothing would be dialled"


def _server(route: dict[str, Any]) -> str:
    """The server as it was written, and the address that this route leads to."""
    host = route["server"].rpartition(":")[0]
    return route["server"] if host == route["remote"] else f"{route['server']} {route['remote']}"
