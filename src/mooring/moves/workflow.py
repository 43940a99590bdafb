"""How a move begins and goes on: always in the transaction of what makes it true."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mooring.config import EnvironmentName, MigrationMode
from mooring.errors import Conflict
from mooring.ids import new_id
from mooring.jobs import LeaseKind, withdraw
from mooring.moves import repository
from mooring.moves.states import MoveStep, first_state, next_state
from mooring.moves.types import Move
from mooring.store import Connection


async def begin(
    tx: Connection,
    *,
    application_id: str,
    grant_id: str,
    server: str,
    mode: MigrationMode,
    environment: EnvironmentName,
    step: MoveStep,
    by: str,
    batch_id: str = "",
    dry_run: bool = False,
) -> Move:
    """A new move, in the state that its first step leads to. A dry run that has not ended is called off for it.

    Raises:
        Conflict: the account is being moved already.
    """
    under_way = await repository.open_of(tx, grant_id)
    if under_way is not None and under_way.dry_run and not dry_run:
        await withdraw(tx, LeaseKind.MOVE, grant_id)
        await advance(tx, under_way, MoveStep.CALLED_OFF, why=f"for a move by {by}")
    elif under_way is not None:
        raise Conflict(
            f"This account is being moved to {under_way.environment} already (move {under_way.id}).",
            hint=f"GET …/moves/{under_way.id} tells how it goes on.",
        )
    state = first_state(mode, step)
    move = await repository.insert(
        tx,
        {
            "grant_id": grant_id,
            "id": new_id(),
            "application_id": application_id,
            "batch_id": batch_id or None,
            "mode": str(mode),
            "target": str(environment.kind),
            "environment": str(environment),
            "server": server,
            "dry_run": dry_run,
            "state": str(state),
            "by": by,
        },
    )
    await repository.insert_step(tx, grant_id, move.id, step, state, f"by {by}")
    return move


async def begin_batch(
    tx: Connection,
    application_id: str,
    batch_id: str,
    environment: EnvironmentName,
    accounts: Sequence[tuple[str, str]],
    by: str,
    *,
    leaves: str = "",
) -> None:
    """A new batch with a direct move, that waits for its turn, for each of these accounts; dry runs are called off.

    Args:
        accounts: grant and mail server, in the order of their turns; none of them is being moved.
        leaves: the source that they leave, where the environment is the one that they are in.
    """
    beginning = MoveStep.QUEUED, first_state(MigrationMode.DIRECT, MoveStep.QUEUED)
    await repository.call_off_dry_runs(tx, [grant_id for grant_id, _ in accounts], f"for a move by {by}")
    await repository.insert_batch(tx, application_id, batch_id, environment.kind, by)
    moves = [(grant_id, new_id(), server) for grant_id, server in accounts]
    await repository.insert_waiting(tx, application_id, batch_id, environment, moves, by, beginning, leaves)


async def advance(
    tx: Connection,
    move: Move,
    step: MoveStep,
    *,
    why: str = "",
    error: dict[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
) -> Move:
    """The move after this step.

    Args:
        why: kept with the step, for people.
        error: for a step that ends the move otherwise than it was meant to.

    Raises:
        Conflict: the step cannot follow, or the move has gone on meanwhile.
    """
    state = next_state(move.state, step)
    if not await repository.update(tx, move, state, error, (*move.warnings, *warnings)):
        raise Conflict(f"The move {move.id} has gone on meanwhile.", hint="Look at it again.")
    await repository.insert_step(tx, move.grant_id, move.id, step, state, why)
    return replace(move, state=state, error=error, warnings=(*move.warnings, *warnings))
