"""How far each webhook has come: lanes, attempts, and what is delivered apart. All times are the database's own
but those of attempts.

What a holder writes here runs in a transaction that it has fenced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mooring.events import KEPT
from mooring.store import Connection, Database, in_batches
from mooring.webhooks.types import Attempt, DeadLetter, Lane, Parked, Tries

RECENT = timedelta(minutes=5)
"""How far back tries are counted to see whether anything moves: what is scraped every minute shows each in some count,
and a count of all that are kept would read a fortnight's rows every time."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not been delivered yet.

    Attributes:
        depth: facts, whether anybody wants them or not, and those that stepped aside and wait for their next try.
        oldest_at: of the oldest of them; None when there is none.
        dead: dead letters.
        taken, not_taken: tries of the last minutes (``RECENT``) that ended so.
    """

    depth: int
    oldest_at: datetime | None
    dead: int
    taken: int
    not_taken: int


async def begin_here(tx: Connection, webhook_id: str, application_id: str) -> None:
    """Have the webhook hear of what happens from now on, and of nothing before."""
    await tx.execute(
        """INSERT INTO lanes (grant_id, webhook_id, position)
           SELECT grant_id, $1, last FROM outbox_sequences WHERE application_id = $2 AND last > 0
           ON CONFLICT (grant_id, webhook_id) DO UPDATE
           SET position = excluded.position, attempts = 0, refusals = 0, due_at = NULL""",
        webhook_id, application_id,
    )  # fmt: skip


async def rest_no_more(tx: Connection, webhook_id: str) -> None:
    """Have everything that waits for its next try tried now: what was tried in vain does not count any more.

    Dead letters stay.
    """
    await tx.execute(
        """UPDATE lanes SET attempts = 0, refusals = 0, due_at = NULL
           WHERE webhook_id = $1 AND (attempts > 0 OR due_at IS NOT NULL)""",
        webhook_id,
    )  # fmt: skip
    await tx.execute(
        """UPDATE parked SET attempts = 0, refusals = 0, due_at = now()
           WHERE webhook_id = $1 AND due_at IS NOT NULL""",
        webhook_id,
    )  # fmt: skip


async def behind(db: Database, webhook_id: str, application_id: str) -> list[Lane]:
    """The lanes with something to deliver, as they were left."""
    rows = await db.fetch(
        """SELECT s.grant_id, coalesce(l.position, 0) AS position, coalesce(l.attempts, 0) AS attempts,
                  coalesce(l.refusals, 0) AS refusals, l.due_at
           FROM outbox_sequences s LEFT JOIN lanes l ON l.grant_id = s.grant_id AND l.webhook_id = $1
           WHERE s.application_id = $2 AND s.last > coalesce(l.position, 0)""",
        webhook_id, application_id,
    )  # fmt: skip
    return [_lane(row) for row in rows]


async def lane(db: Database, webhook_id: str, grant_id: str) -> Lane:
    """One lane; at its beginning when the webhook has delivered nothing of this grant."""
    row = await db.fetchrow(
        """SELECT grant_id, position, attempts, refusals, due_at FROM lanes
           WHERE grant_id = $1 AND webhook_id = $2""",
        grant_id, webhook_id,
    )  # fmt: skip
    return _lane(row) if row is not None else Lane(grant_id, 0)


async def advance(tx: Connection, webhook_id: str, lanes: Sequence[Lane]) -> None:
    """Write how far these lanes have come."""
    await tx.execute(
        """INSERT INTO lanes (grant_id, webhook_id, position, attempts, refusals, due_at)
           SELECT l.grant_id, $1, l.position, l.attempts, l.refusals, l.due_at
           FROM unnest($2::text[], $3::bigint[], $4::int[], $5::int[], $6::timestamptz[])
                AS l (grant_id, position, attempts, refusals, due_at)
           ON CONFLICT (grant_id, webhook_id) DO UPDATE SET position = excluded.position,
               attempts = excluded.attempts, refusals = excluded.refusals, due_at = excluded.due_at""",
        webhook_id, [lane.grant_id for lane in lanes], [lane.position for lane in lanes],
        [lane.tries.attempts for lane in lanes], [lane.tries.refusals for lane in lanes],
        [lane.tries.due_at for lane in lanes],
    )  # fmt: skip


async def record(tx: Connection, webhook_id: str, attempts: Sequence[Attempt]) -> None:
    """Keep these tries; those that are kept already stay: a commit can be done without being heard of."""
    await tx.execute(
        """INSERT INTO attempts (grant_id, webhook_id, sequence, attempt, at, duration_ms, status, reason)
           SELECT a.grant_id, $1, a.sequence, a.attempt, a.at, a.duration_ms, a.status, a.reason
           FROM unnest($2::text[], $3::bigint[], $4::int[], $5::timestamptz[], $6::float8[], $7::int[], $8::text[])
                AS a (grant_id, sequence, attempt, at, duration_ms, status, reason)
           ON CONFLICT DO NOTHING""",
        webhook_id, [a.grant_id for a in attempts], [a.sequence for a in attempts], [a.attempt for a in attempts],
        [a.at for a in attempts], [a.duration_ms for a in attempts], [a.status for a in attempts],
        [a.reason for a in attempts],
    )  # fmt: skip


async def park(tx: Connection, webhook_id: str, parked: Sequence[Parked]) -> None:
    """Have these facts delivered apart, when they are due, or keep them as dead letters."""
    await tx.execute(
        """INSERT INTO parked (grant_id, webhook_id, sequence, attempts, refusals, due_at, reason)
           SELECT p.grant_id, $1, p.sequence, p.attempts, p.refusals, p.due_at, p.reason
           FROM unnest($2::text[], $3::bigint[], $4::int[], $5::int[], $6::timestamptz[], $7::text[])
                AS p (grant_id, sequence, attempts, refusals, due_at, reason)
           ON CONFLICT (grant_id, webhook_id, sequence) DO UPDATE SET attempts = excluded.attempts,
               refusals = excluded.refusals, due_at = excluded.due_at, reason = excluded.reason, parked_at = now()""",
        webhook_id, [p.grant_id for p in parked], [p.sequence for p in parked], [p.tries.attempts for p in parked],
        [p.tries.refusals for p in parked], [p.tries.due_at for p in parked], [p.tries.reason for p in parked],
    )  # fmt: skip


async def unpark(tx: Connection, webhook_id: str, places: Sequence[tuple[str, int]]) -> None:
    """Forget these parked facts: they have been taken."""
    await tx.execute(
        """DELETE FROM parked p USING unnest($2::text[], $3::bigint[]) AS d (grant_id, sequence)
           WHERE p.webhook_id = $1 AND p.grant_id = d.grant_id AND p.sequence = d.sequence""",
        webhook_id, [grant_id for grant_id, _ in places], [sequence for _, sequence in places],
    )  # fmt: skip


async def parked(db: Database, webhook_id: str, limit: int) -> list[Parked]:
    """What is to be delivered apart, the most urgent first; dead letters are not among it."""
    rows = await db.fetch(
        """SELECT grant_id, sequence, attempts, refusals, due_at, reason FROM parked
           WHERE webhook_id = $1 AND due_at IS NOT NULL ORDER BY due_at, grant_id, sequence LIMIT $2""",
        webhook_id, limit,
    )  # fmt: skip
    return [
        Parked(row["grant_id"], row["sequence"], Tries(row["attempts"], row["refusals"], row["due_at"], row["reason"]))
        for row in rows
    ]


async def bury(tx: Connection, webhook_id: str, application_id: str, reason: str, types: Sequence[str]) -> None:
    """Make dead letters of everything that the webhook has not been told and wants to be."""
    await tx.execute(
        """INSERT INTO parked (grant_id, webhook_id, sequence, attempts, refusals, due_at, reason)
           SELECT o.grant_id, $1, o.sequence, 0, 0, NULL, $3
           FROM outbox_sequences s
           LEFT JOIN lanes l ON l.grant_id = s.grant_id AND l.webhook_id = $1
           JOIN outbox o ON o.grant_id = s.grant_id AND o.sequence > coalesce(l.position, 0)
           WHERE s.application_id = $2 AND s.last > coalesce(l.position, 0) AND o.type = ANY ($4)
           ON CONFLICT DO NOTHING""",
        webhook_id, application_id, reason, list(types),
    )  # fmt: skip
    await tx.execute("UPDATE parked SET due_at = NULL WHERE webhook_id = $1 AND due_at IS NOT NULL", webhook_id)


async def dead_letters(db: Database, webhook_id: str, *, limit: int, offset: int) -> list[DeadLetter]:
    """What was given up, the latest first."""
    rows = await db.fetch(
        """SELECT p.grant_id, p.sequence, coalesce(o.type, '') AS type, p.attempts, p.reason, p.parked_at
           FROM parked p LEFT JOIN outbox o ON o.grant_id = p.grant_id AND o.sequence = p.sequence
           WHERE p.webhook_id = $1 AND p.due_at IS NULL
           ORDER BY p.parked_at DESC, p.grant_id, p.sequence DESC LIMIT $2 OFFSET $3""",
        webhook_id, limit, offset,
    )  # fmt: skip
    return [DeadLetter(**dict(row)) for row in rows]


async def resend(tx: Connection, webhook_id: str, grant_id: str | None, sequences: Sequence[int] | None) -> int:
    """Have dead letters sent again now: all, or those of one grant, or these; returns how many."""
    result = await tx.execute(
        """UPDATE parked SET due_at = now(), attempts = 0, refusals = 0
           WHERE webhook_id = $1 AND due_at IS NULL AND ($2::text IS NULL OR grant_id = $2)
             AND ($3::bigint[] IS NULL OR sequence = ANY ($3))""",
        webhook_id, grant_id, list(sequences) if sequences is not None else None,
    )  # fmt: skip
    return int(result.rpartition(" ")[2])


async def attempts(
    db: Database, webhook_id: str, *, before: datetime | None, failed: bool | None, limit: int
) -> list[Attempt]:
    """What was tried, the latest first."""
    rows = await db.fetch(
        """SELECT grant_id, sequence, attempt, at, duration_ms, status, reason FROM attempts
           WHERE webhook_id = $1 AND ($2::timestamptz IS NULL OR at < $2)
             AND ($3::boolean IS NULL OR (reason <> '') = $3)
           ORDER BY at DESC LIMIT $4""",
        webhook_id, before, failed, limit,
    )  # fmt: skip
    return [Attempt(**dict(row)) for row in rows]


async def counts_by_minute(db: Database, webhook_id: str, since: timedelta) -> list[tuple[datetime, int, int]]:
    """Tries of the last while, a minute at a time: (minute, taken, failed)."""
    rows = await db.fetch(
        """SELECT date_trunc('minute', at) AS minute, count(*) FILTER (WHERE reason = '') AS taken,
                  count(*) FILTER (WHERE reason <> '') AS failed
           FROM attempts WHERE webhook_id = $1 AND at > now() - $2::interval GROUP BY 1 ORDER BY 1""",
        webhook_id, since,
    )  # fmt: skip
    return [(row["minute"], row["taken"], row["failed"]) for row in rows]


async def backlog(db: Database) -> Backlog:
    """What all webhooks together have not delivered yet, and whether they get on."""
    row = await db.fetchrow(
        """WITH delivering AS (SELECT id, application_id FROM webhooks WHERE status IN ('active', 'failing')),
           waiting AS (
               SELECT s.grant_id, coalesce(l.position, 0) AS position, s.last
               FROM delivering w JOIN outbox_sequences s ON s.application_id = w.application_id
               LEFT JOIN lanes l ON l.grant_id = s.grant_id AND l.webhook_id = w.id
               WHERE s.last > coalesce(l.position, 0)),
           aside AS (
               SELECT p.grant_id, p.sequence FROM delivering w JOIN parked p ON p.webhook_id = w.id
               WHERE p.due_at IS NOT NULL),
           heads AS (
               SELECT grant_id, position + 1 AS sequence FROM waiting UNION ALL SELECT grant_id, sequence FROM aside),
           tries AS (
               SELECT sum(t.taken) AS taken, sum(t.not_taken) AS not_taken
               FROM webhooks w CROSS JOIN LATERAL (
                   SELECT count(*) FILTER (WHERE reason = '') AS taken,
                          count(*) FILTER (WHERE reason <> '') AS not_taken
                   FROM attempts WHERE webhook_id = w.id AND at > now() - $1::interval) t)
           SELECT ((SELECT coalesce(sum(last - position), 0) FROM waiting)
                   + (SELECT count(*) FROM aside))::bigint AS depth,
                  (SELECT min(o.at) FROM heads h JOIN outbox o
                     ON o.grant_id = h.grant_id AND o.sequence = h.sequence) AS oldest_at,
                  (SELECT count(*) FROM parked WHERE due_at IS NULL) AS dead,
                  coalesce(taken, 0)::bigint AS taken, coalesce(not_taken, 0)::bigint AS not_taken
           FROM tries""",
        RECENT,
    )  # fmt: skip
    assert row is not None
    return Backlog(**dict(row))


async def forget_deliveries(db: Database) -> int:
    """Forget attempts and dead letters of facts that are forgotten themselves; returns how many attempts."""
    await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT p.grant_id, p.webhook_id, p.sequence FROM parked p
               WHERE p.parked_at < now() - $1::interval AND NOT EXISTS
                   (SELECT FROM outbox o WHERE o.grant_id = p.grant_id AND o.sequence = p.sequence)
               LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM parked p USING old
           WHERE p.grant_id = old.grant_id AND p.webhook_id = old.webhook_id AND p.sequence = old.sequence""",
        KEPT,
    )
    return await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT a.grant_id, a.webhook_id, a.sequence, a.attempt, a.at FROM attempts a
               WHERE a.at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM attempts a USING old
           WHERE a.grant_id = old.grant_id AND a.webhook_id = old.webhook_id AND a.sequence = old.sequence
             AND a.attempt = old.attempt AND a.at = old.at""",
        KEPT,
    )


def _lane(row: Any) -> Lane:
    return Lane(row["grant_id"], row["position"], Tries(row["attempts"], row["refusals"], row["due_at"]))
