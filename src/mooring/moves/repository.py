"""The moves' tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mooring.config import EnvironmentName, Generation, Kind, MigrationMode
from mooring.jobs import LeaseKind, offer
from mooring.moves.states import CALLED_OFF_IN, MoveState, MoveStep
from mooring.moves.types import Batch, BatchState, Move, Recorded
from mooring.store import Connection, Database

_COLUMNS = """grant_id, id, application_id, coalesce(batch_id, '') AS batch_id, mode, target, environment, server,
              leaves, takes, dry_run, state, by, error, warnings, created_at, due_at, offered_at, ended_at"""

_TURNS_LOCK = 7_210_032
"""Two processes never hand out turns at once: a key of pg_advisory_xact_lock that nobody else uses."""


def _move(row: Any) -> Move:
    fields = dict(row)
    generation, region, kind = row["environment"].split("-")
    fields["environment"] = EnvironmentName(Generation(generation), region, Kind(kind))
    fields["mode"], fields["target"] = MigrationMode(row["mode"]), Kind(row["target"])
    fields["state"], fields["warnings"] = MoveState(row["state"]), tuple(row["warnings"])
    return Move(**fields)


async def insert(tx: Connection, values: dict[str, Any]) -> Move:
    """Write a new move; ``values`` by column."""
    columns = ", ".join(values)
    places = ", ".join(f"${i}" for i in range(1, len(values) + 1))
    return _move(
        await tx.fetchrow(f"INSERT INTO moves ({columns}) VALUES ({places}) RETURNING {_COLUMNS}", *values.values())
    )


async def insert_waiting(
    tx: Connection,
    application_id: str,
    batch_id: str,
    environment: EnvironmentName,
    moves: Sequence[tuple[str, str, str]],
    by: str,
    beginning: tuple[MoveStep, MoveState],
    leaves: str,
) -> None:
    """Write direct moves of a batch with their first step: grant, id and mail server of each, in order."""
    columns = [list(column) for column in zip(*moves, strict=True)]
    step, state = beginning
    await tx.execute(
        """INSERT INTO moves (grant_id, id, server, application_id, batch_id, mode, target, environment, state, by,
                              leaves, created_at)
           SELECT m.grant_id, m.id, m.server, $4, $5, 'direct', $6, $7, $8, $9, $10,
                  clock_timestamp() + m.number * interval '1 microsecond'
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS m (grant_id, id, server, number)""",
        *columns, application_id, batch_id, str(environment.kind), str(environment), str(state), by, leaves,
    )  # fmt: skip
    await tx.execute(
        """INSERT INTO move_steps (grant_id, move_id, step, state, detail)
           SELECT m.grant_id, m.id, $3, $4, $5 FROM unnest($1::text[], $2::text[]) AS m (grant_id, id)""",
        columns[0], columns[1], str(step), str(state), f"by {by}",
    )  # fmt: skip


async def update(
    tx: Connection, move: Move, state: MoveState, error: dict[str, Any] | None, warnings: tuple[str, ...]
) -> bool:
    """Write where the move is now, and why it ended if it did not come about; False when it is not where it was."""
    result = await tx.execute(
        """UPDATE moves SET state = $3, error = $4, warnings = $5,
                  ended_at = CASE WHEN $6 THEN clock_timestamp() ELSE ended_at END
           WHERE grant_id = $1 AND id = $2 AND state = $7""",
        move.grant_id, move.id, str(state), error, list(warnings), state.is_end, str(move.state),
    )  # fmt: skip
    return result != "UPDATE 0"


async def insert_step(tx: Connection, grant_id: str, move_id: str, step: MoveStep, state: MoveState, why: str) -> None:
    """Keep what happened."""
    await tx.execute(
        "INSERT INTO move_steps (grant_id, move_id, step, state, detail) VALUES ($1, $2, $3, $4, $5)",
        grant_id, move_id, str(step), str(state), why,
    )  # fmt: skip


async def set_due(tx: Connection, move: Move, due_at: datetime) -> None:
    """Write when the delay of a staged move has passed."""
    await tx.execute("UPDATE moves SET due_at = $3 WHERE grant_id = $1 AND id = $2", move.grant_id, move.id, due_at)


async def open_of(db: Database | Connection, grant_id: str) -> Move | None:
    """The grant's move that has not ended; there is one at most."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM moves WHERE grant_id = $1 AND ended_at IS NULL", grant_id)
    return _move(row) if row else None


async def find(db: Database | Connection, grant_id: str, move_id: str) -> Move | None:
    """One move of a grant."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM moves WHERE grant_id = $1 AND id = $2", grant_id, move_id)
    return _move(row) if row else None


async def of_grant(db: Database, grant_id: str, limit: int) -> list[Move]:
    """The grant's moves, the latest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM moves WHERE grant_id = $1 ORDER BY created_at DESC, id LIMIT $2", grant_id, limit
    )
    return [_move(row) for row in rows]


async def steps(db: Database, grant_id: str, move_id: str) -> list[Recorded]:
    """What became of a move, in order."""
    rows = await db.fetch(
        "SELECT step, state, at, detail FROM move_steps WHERE grant_id = $1 AND move_id = $2 ORDER BY number",
        grant_id, move_id,
    )  # fmt: skip
    return [Recorded(MoveStep(row["step"]), MoveState(row["state"]), row["at"], row["detail"]) for row in rows]


async def call_off(
    tx: Connection, application_id: str, *, batch_id: str | None, keep: str | None, why: str
) -> list[tuple[str, MigrationMode]]:
    """Call off an application's moves that have not ended: of this batch, or all but those that lead to ``keep``.

    Dry runs are called off whatever they lead to. Returns grant and mode of each.
    """
    which = """m.application_id = $1 AND ($2::text IS NULL OR m.batch_id = $2)
               AND ($3::text IS NULL OR m.target <> $3 OR m.dry_run)"""
    return await _call_off(tx, which, [application_id, batch_id, keep], why)


async def call_off_dry_runs(tx: Connection, grant_ids: Sequence[str], why: str) -> None:
    """Call off these grants' dry runs that have not ended."""
    await _call_off(tx, "m.dry_run AND m.grant_id = ANY ($1)", [list(grant_ids)], why)


async def call_off_leaving(tx: Connection, source: str, why: str) -> None:
    """Call off the moves of accounts that are to leave this source and have not left it."""
    await _call_off(tx, "m.leaves = $1 AND m.state <> 'settling'", [source], why)


async def _call_off(tx: Connection, which: str, arguments: list[Any], why: str) -> list[tuple[str, MigrationMode]]:
    """Call off the moves that have not ended and of which this is true; its arguments are the first ones."""
    states = [str(state) for state in CALLED_OFF_IN]
    a, b, c, d = (f"${len(arguments) + number}" for number in range(1, 5))
    open_ones = f"m.ended_at IS NULL AND m.state = ANY ({a}) AND {which}"
    # Who carries out a move locks its lease before its row.
    await tx.execute(
        f"""WITH mine AS MATERIALIZED (
                SELECT l.subject FROM leases l JOIN moves m ON m.grant_id = l.subject
                WHERE l.kind = {b} AND {open_ones} ORDER BY l.subject FOR UPDATE OF l)
            DELETE FROM leases l USING mine WHERE l.kind = {b} AND l.subject = mine.subject""",
        *arguments, states, str(LeaseKind.MOVE),
    )  # fmt: skip
    rows = await tx.fetch(
        f"""WITH ended AS (
                UPDATE moves m SET state = {b}, ended_at = clock_timestamp() WHERE {open_ones}
                RETURNING m.grant_id, m.id, m.mode),
            told AS (
                INSERT INTO move_steps (grant_id, move_id, step, state, detail)
                SELECT grant_id, id, {c}, {b}, {d} FROM ended)
            SELECT grant_id, mode FROM ended ORDER BY grant_id""",
        *arguments, states, str(MoveState.ROLLED_BACK), str(MoveStep.CALLED_OFF), why,
    )  # fmt: skip
    return [(row["grant_id"], MigrationMode(row["mode"])) for row in rows]


async def offer_turns(db: Database, at_once: int) -> int:
    """Hand out turns to moves that wait, at most so many at once for each mail server; returns how many.

    A batch that is paused has no turn. Each environment is counted by itself: nobody may be there to carry out the
    moves that lead to one, and those to another do not wait for that.
    """
    async with db.transaction() as tx:
        if not await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", _TURNS_LOCK):
            return 0
        rows = await tx.fetch(
            """WITH open AS (
                   SELECT m.*, coalesce(b.state, 'running') AS batch_state FROM moves m
                   LEFT JOIN batches b ON b.application_id = m.application_id AND b.id = m.batch_id
                   WHERE m.ended_at IS NULL AND m.mode = 'direct' AND m.state <> 'settling'),
               under_way AS (
                   SELECT server, environment, count(*) AS moves FROM open WHERE offered_at IS NOT NULL GROUP BY 1, 2),
               waiting AS (
                   SELECT o.*, coalesce(u.moves, 0) + row_number() OVER
                               (PARTITION BY o.server, o.environment ORDER BY o.created_at, o.id) AS place
                   FROM open o LEFT JOIN under_way u ON u.server = o.server AND u.environment = o.environment
                   WHERE o.offered_at IS NULL AND o.batch_state = 'running')
               UPDATE moves m SET offered_at = now() FROM waiting w
               WHERE w.place <= $1 AND m.grant_id = w.grant_id AND m.id = w.id
                 AND m.ended_at IS NULL AND m.offered_at IS NULL
               RETURNING m.grant_id, m.environment""",
            at_once,
        )
        for row in rows:
            await offer(tx, LeaseKind.MOVE, row["grant_id"], row["environment"])
    return len(rows)


async def insert_batch(tx: Connection, application_id: str, batch_id: str, target: Kind, by: str) -> None:
    """Write a new batch."""
    await tx.execute(
        "INSERT INTO batches (application_id, id, target, by) VALUES ($1, $2, $3, $4)",
        application_id, batch_id, str(target), by,
    )  # fmt: skip


async def batches(db: Database | Connection, application_id: str, limit: int) -> list[Batch]:
    """The application's batches with their progress, the latest first."""
    rows = await db.fetch(
        """SELECT b.id, b.target, b.state, b.by, b.created_at, m.state AS move_state, count(m.id) AS moves
           FROM (SELECT * FROM batches WHERE application_id = $1 ORDER BY created_at DESC, id LIMIT $2) b
           LEFT JOIN moves m ON m.batch_id = b.id
           GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY b.created_at DESC, b.id""",
        application_id, limit,
    )  # fmt: skip
    found: dict[str, Batch] = {}
    for row in rows:
        batch = found.setdefault(
            row["id"],
            Batch(
                row["id"],
                application_id,
                Kind(row["target"]),
                BatchState(row["state"]),
                row["by"],
                row["created_at"],
                {},
            ),
        )
        if row["move_state"] is not None:
            batch.counts[MoveState(row["move_state"])] = row["moves"]
    return list(found.values())


async def lock_batch(tx: Connection, application_id: str, batch_id: str) -> BatchState | None:
    """The state of a batch, which nobody changes until the transaction ends; None when there is no such batch."""
    state = await tx.fetchval(
        "SELECT state FROM batches WHERE application_id = $1 AND id = $2 FOR UPDATE", application_id, batch_id
    )
    return BatchState(state) if state else None


async def set_batch_state(tx: Connection, application_id: str, batch_id: str, state: BatchState) -> None:
    """Write it."""
    await tx.execute(
        "UPDATE batches SET state = $3 WHERE application_id = $1 AND id = $2", application_id, batch_id, str(state)
    )


async def set_taken(tx: Connection, move: Move, source: str) -> None:
    """Write which source the account keeps instead of the one that it left."""
    await tx.execute("UPDATE moves SET takes = $3 WHERE grant_id = $1 AND id = $2", move.grant_id, move.id, source)


async def leaving(db: Database, source: str) -> tuple[int, int, tuple[str, ...]]:
    """How many accounts keep this source, how many of them are leaving it, and why others could not, last time."""
    row = await db.fetchrow(
        """WITH kept AS (SELECT DISTINCT subject FROM assignments WHERE source = $1 AND released_at IS NULL),
           latest AS (
               SELECT DISTINCT ON (m.grant_id) m.ended_at IS NULL AS is_open, m.error ->> 'message' AS why
               FROM moves m JOIN grants g ON g.id = m.grant_id JOIN kept k ON k.subject = g.subject
               WHERE m.leaves = $1 ORDER BY m.grant_id, m.created_at DESC)
           SELECT (SELECT count(*) FROM kept) AS left, count(*) FILTER (WHERE is_open) AS moving,
                  coalesce(array_agg(DISTINCT why) FILTER (WHERE why IS NOT NULL), '{}') AS why_not FROM latest""",
        source,
    )
    assert row is not None
    return row["left"], row["moving"], tuple(sorted(row["why_not"]))


async def leaves_a_source(tx: Connection, application_id: str, batch_id: str) -> bool:
    """Whether a batch moves accounts within their environment."""
    return await tx.fetchval(
        "SELECT EXISTS (SELECT FROM moves WHERE application_id = $1 AND batch_id = $2 AND leaves <> '')",
        application_id, batch_id,
    )  # fmt: skip


async def arrived(tx: Connection, application_id: str, batch_id: str) -> tuple[Kind | None, set[str]]:
    """Where a batch leads, and the grants that it has moved there."""
    target = await tx.fetchval(
        "SELECT target FROM batches WHERE application_id = $1 AND id = $2", application_id, batch_id
    )
    rows = await tx.fetch(
        """SELECT grant_id FROM moves
           WHERE application_id = $1 AND batch_id = $2 AND state IN ('done', 'settling')""",
        application_id, batch_id,
    )  # fmt: skip
    return Kind(target) if target else None, {row["grant_id"] for row in rows}
