"""Accounts on the move: ``mooring app moves|pause|resume|roll-back`` and ``mooring grant move|moves|stop|start``."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mooring.bootstrap import Installation, open_installation
from mooring.cli.apps import operator
from mooring.cli.grants import find_grant
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
from mooring.config import Kind, MigrationMode
from mooring.moves import Batch, BatchState, Move, MoveState, Recorded

WATCH_S = 0.5
"""Seconds between two looks at a move that is followed."""

Act = Callable[[Installation], Awaitable[object]]
PATIENT_LOOKS = 10
"""After which it is said that nobody carries the move out."""

ApplicationId = Annotated[str, typer.Argument(help="The application's id.")]
BatchId = Annotated[str, typer.Argument(help="The batch's id, as `mooring app moves` shows it.")]
GrantId = Annotated[str, typer.Argument(help="The grant's id.")]


def batches(
    application: ApplicationId,
    follow: Annotated[bool, typer.Option(help="Stay until the latest batch has ended.")] = False,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """How far an application's accounts are that move together: because static IPs were switched, or rolled back."""

    async def work() -> list[Batch]:
        async with open_installation(read_config(config), environments=[]) as installation:
            await installation.applications.get(application)
            if follow:
                await _follow(installation, application, shown=not json)
            return await installation.feature.batches(application)

    found = run(work(), json=json)
    if json:
        show_json([_batch_json(batch) for batch in found])
        return
    show_table(
        ("BATCH", "TO", "BEGUN (UTC)", "STATE", "ENDED", "OF", "", "BY"),
        [
            (b.id, b.target, f"{b.created_at:%Y-%m-%d %H:%M:%S}", _batch_state(b), b.ended, b.total, _counts(b), b.by)
            for b in found
        ],
        empty="No accounts of this application have moved together.",
    )


def pause(application: ApplicationId, batch: BatchId, json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Let no more accounts of a batch begin to move; those that have begun finish."""
    _with_batches(config, json, application, lambda i: i.feature.pause(application, batch), f"{batch} is paused.")


def resume(application: ApplicationId, batch: BatchId, json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Let a paused batch go on."""
    _with_batches(config, json, application, lambda i: i.feature.resume(application, batch), f"{batch} goes on.")


def roll_back(
    application: ApplicationId, batch: BatchId, json: Json = False, config: ConfigPath = DEFAULT_CONFIG
) -> None:
    """Call back the accounts of a batch that wait, and move back those that have moved. The feature stays as it is."""
    _with_batches(
        config,
        json,
        application,
        lambda i: i.feature.roll_back(application, batch, by=operator()),
        f"{batch} is rolled back; `mooring app moves {application}` tells how far that is.",
    )


def move(
    grant: GrantId,
    to: Annotated[Kind, typer.Argument(help="Where to.")],
    mode: Annotated[MigrationMode | None, typer.Option(help="Default: as the application's accounts move.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Prove the new side, and move nothing.")] = False,
    json: Json = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Move an account to static or to dynamic addresses, and tell each step until it has ended or waits."""

    async def work() -> tuple[Move, list[Recorded]]:
        async with open_installation(read_config(config), environments=[]) as installation:
            found = await find_grant(installation, grant)
            application = await installation.applications.get(found.application_id)
            begun = await installation.placements.move(
                application, found, to, mode=mode, dry_run=dry_run, by=operator()
            )
            told, looks = 0, 0
            while True:
                begun = await installation.placements.find_move(found, begun.id)
                steps = await installation.placements.steps(begun)
                for step in steps[told:] if not json else ():
                    _say(step)
                told = len(steps)
                if begun.state.is_end or begun.due_at is not None:
                    return begun, steps
                looks += 1
                if looks == PATIENT_LOOKS and begun.state is MoveState.WAITING and not json:
                    errors.print(f"Nobody serves {begun.environment} yet: `mooring up`, or `mooring worker`, does.")
                await asyncio.sleep(WATCH_S)

    ended, steps = run(work(), json=json)
    if json:
        show_json({**_move_json(ended), "steps": [_step_json(step) for step in steps]})
    else:
        for warning in ended.warnings:
            console.print(f"[yellow]warning:[/] {warning}")
        if ended.error is not None:
            console.print(f"[bold red]{ended.error['message']}[/]")
        if ended.due_at is not None and not ended.state.is_end:
            console.print(f"It can be started, or authenticated again, from {ended.due_at:%Y-%m-%d %H:%M:%S} UTC on.")
    if ended.error is not None:
        raise typer.Exit(1)


def grant_moves(grant: GrantId, json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """The moves of an account, the latest first."""

    async def work() -> list[Move]:
        async with open_installation(read_config(config), environments=[]) as installation:
            return await installation.placements.moves(await find_grant(installation, grant))

    found = run(work(), json=json)
    if json:
        show_json([_move_json(move) for move in found])
        return
    show_table(
        ("MOVE", "TO", "MODE", "BEGUN (UTC)", "STATE", "BY", "WHY NOT"),
        [
            (m.id, m.target, "dry run" if m.dry_run else m.mode, f"{m.created_at:%Y-%m-%d %H:%M:%S}", m.state, m.by,
             (m.error or {}).get("message", ""))
            for m in found
        ],
        empty="This account has never moved.",
    )  # fmt: skip


def stop(grant: GrantId, json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Stop an account: nothing is dialled for it until it is started; what is stored can be read."""
    _switch(config, json, grant, starts=False)


def start(grant: GrantId, json: Json = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Start an account that was stopped; after the delay of a staged move, in the environment that it leads to."""
    _switch(config, json, grant, starts=True)


def _switch(config: Path, json: bool, grant: str, *, starts: bool) -> None:
    async def work() -> str:
        async with open_installation(read_config(config), environments=[]) as installation:
            found = await find_grant(installation, grant)
            application = await installation.applications.get(found.application_id)
            act = installation.placements.start if starts else installation.placements.stop
            await act(application, found, by=operator())
            return str((await find_grant(installation, grant)).environment)

    environment = run(work(), json=json)
    if json:
        show_json({"id": grant, "sync_state": "running" if starts else "stopped", "environment": environment})
    else:
        console.print(f"The account runs in the {environment} environment." if starts else "The account is stopped.")


def _with_batches(config: Path, json: bool, application: str, act: Act, said: str) -> None:
    async def work() -> list[Batch]:
        async with open_installation(read_config(config), environments=[]) as installation:
            await act(installation)
            return await installation.feature.batches(application)

    found = run(work(), json=json)
    if json:
        show_json([_batch_json(batch) for batch in found])
    else:
        console.print(said)


async def _follow(installation: Installation, application: str, *, shown: bool) -> None:
    """Return when the latest batch has ended, or has been paused; show how far it is until then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not shown) as progress:
        task = progress.add_task("accounts moved")
        while True:
            latest = (await installation.feature.batches(application))[:1]
            if not latest:
                return
            progress.update(task, total=latest[0].total, completed=latest[0].ended)
            if latest[0].ended == latest[0].total or latest[0].state is not BatchState.RUNNING:
                return
            await asyncio.sleep(WATCH_S)


def _say(step: Recorded) -> None:
    words = str(step.step).replace("_", " ")
    console.print(f"{step.at:%H:%M:%S.%f}"[:-3] + f"  {words:<20} {step.state}  [dim]{step.detail}[/]")


def _batch_state(batch: Batch) -> str:
    return "ended" if batch.is_over else str(batch.state)


def _counts(batch: Batch) -> str:
    return ", ".join(f"{count} {str(state).replace('_', ' ')}" for state, count in sorted(batch.counts.items()))


def _batch_json(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "to": str(batch.target),
        "state": _batch_state(batch),
        "by": batch.by,
        "created_at": batch.created_at,
        "total": batch.total,
        "ended": batch.ended,
        "counts": {str(state): count for state, count in batch.counts.items()},
    }


def _move_json(move: Move) -> dict[str, Any]:
    return {
        "id": move.id,
        "grant_id": move.grant_id,
        "batch_id": move.batch_id or None,
        "to": str(move.target),
        "mode": str(move.mode),
        "dry_run": move.dry_run,
        "state": str(move.state),
        "by": move.by,
        "error": move.error,
        "warnings": list(move.warnings),
        "created_at": move.created_at,
        "due_at": move.due_at,
        "ended_at": move.ended_at,
    }


def _step_json(step: Recorded) -> dict[str, Any]:
    return {"step": str(step.step), "state": str(step.state), "at": step.at, "detail": step.detail}
