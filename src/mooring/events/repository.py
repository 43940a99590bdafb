"""The outbox: facts in the order they happened to a grant, written where they became true."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from mooring.events.types import EventType, Fact, Recorded
from mooring.store import Connection, Database, in_batches

CHANNEL = "facts"
"""Where PostgreSQL announces, at the commit, that a grant has new facts; the payload is ``announced``'s."""

KEPT = timedelta(days=14)
"""How long a fact can be read and delivered again: far longer than an endpoint may fail before it is given up."""


async def append(tx: Connection, *, application_id: str, grant_id: str, facts: Sequence[Fact]) -> None:
    """Write these facts in the caller's transaction, numbered without a gap for the grant.

    The grant's counter row is locked until the transaction ends, so numbers are handed out in the order
    in which they become visible, and a fact that was rolled back leaves no hole.
    """
    if not facts:
        return
    await tx.execute(
        """WITH counted AS (
               INSERT INTO outbox_sequences (grant_id, application_id, last) VALUES ($1, $2, $3)
               ON CONFLICT (grant_id) DO UPDATE SET last = outbox_sequences.last + excluded.last RETURNING last),
           written AS (
               INSERT INTO outbox (grant_id, sequence, application_id, type, data)
               SELECT $1, counted.last - $3 + f.number, $2, f.type, f.data
               FROM counted, unnest($4::text[], $5::jsonb[]) WITH ORDINALITY AS f (type, data, number))
           SELECT pg_notify($6, $2 || ' ' || $1) FROM counted""",
        grant_id, application_id, len(facts), [str(fact.type) for fact in facts], [fact.data for fact in facts],
        CHANNEL,
    )  # fmt: skip


def announced(payload: str) -> tuple[str, str]:
    """The application and the grant that an announcement speaks of."""
    application_id, _, grant_id = payload.partition(" ")
    return application_id, grant_id


async def read(db: Database, grant_id: str, *, after: int, limit: int) -> list[Recorded]:
    """The grant's facts behind this sequence, in order."""
    rows = await db.fetch(
        """SELECT application_id, grant_id, sequence, type, at, data FROM outbox
           WHERE grant_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3""",
        grant_id, after, limit,
    )  # fmt: skip
    return [_recorded(row) for row in rows]


async def read_since(db: Database, grant_id: str, since: datetime, *, types: Sequence[EventType]) -> list[Recorded]:
    """The grant's facts of these kinds since then, in order."""
    rows = await db.fetch(
        """SELECT application_id, grant_id, sequence, type, at, data FROM outbox
           WHERE grant_id = $1 AND at >= $2 AND type = ANY ($3) ORDER BY sequence""",
        grant_id, since, [str(kind) for kind in types],
    )  # fmt: skip
    return [_recorded(row) for row in rows]


async def read_one(db: Database, grant_id: str, sequence: int) -> Recorded | None:
    """One fact; None when it was forgotten."""
    found = await read(db, grant_id, after=sequence - 1, limit=1)
    return found[0] if found and found[0].sequence == sequence else None


async def forget_facts(db: Database) -> int:
    """Forget facts that are older than ``KEPT``; returns how many."""
    return await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT grant_id, sequence FROM outbox WHERE at < now() - $1::interval
               ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM outbox o USING old WHERE o.grant_id = old.grant_id AND o.sequence = old.sequence""",
        KEPT,
    )


def _recorded(row: Any) -> Recorded:
    fields = dict(row)
    fields["type"] = EventType(row["type"])
    return Recorded(**fields)
