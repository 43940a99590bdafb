"""The leases' tables. All times are the database's own."""

from collections.abc import Sequence
from datetime import timedelta

from mooring.store import Connection, Database, in_batches


async def beat(db: Database, holder: str, lease: timedelta) -> None:
    """Say that this holder lives, for one more lease time."""
    await db.execute(
        """INSERT INTO holders (id, expires_at) VALUES ($1, now() + $2)
           ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at""",
        holder, lease,
    )  # fmt: skip


async def forget_dead(db: Database) -> None:
    """Take away the rows of holders that died long ago; what they held is free by then, with or without them."""
    await in_batches(
        db,
        """WITH gone AS MATERIALIZED (
               SELECT id FROM holders WHERE expires_at < now() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED)
           DELETE FROM holders h USING gone WHERE h.id = gone.id""",
    )


async def leave(db: Database, holder: str) -> None:
    """Give everything back and be no holder any more."""
    async with db.transaction() as tx:
        await tx.execute(
            """WITH mine AS MATERIALIZED (
                   SELECT kind, subject FROM leases WHERE holder = $1 ORDER BY kind, subject FOR UPDATE)
               UPDATE leases l SET holder = NULL FROM mine WHERE l.kind = mine.kind AND l.subject = mine.subject""",
            holder,
        )
        await tx.execute("DELETE FROM holders WHERE id = $1", holder)


async def hold(tx: Connection, kind: str, subjects: Sequence[str]) -> set[str]:
    """Keep the holders of these subjects from writing until the transaction ends; returns those that there are.

    Whoever changes rows that a holder writes, too, does this first: a holder locks its lease before all else, and
    two that lock the same rows in two orders end in a deadlock.
    """
    rows = await tx.fetch(
        "SELECT subject FROM leases WHERE kind = $1 AND subject = ANY ($2) ORDER BY subject FOR UPDATE",
        kind, list(subjects),
    )  # fmt: skip
    return {row["subject"] for row in rows}


async def offer(tx: Connection, kind: str, subject: str, scope: str) -> None:
    """Have a lease for this subject to be claimed, in this scope; whoever holds it loses it.

    That is how whatever an open session was made from (credentials, placement) is changed under it. A new
    lease begins at the transaction's number, which is past every generation that this subject ever had (each
    cost a transaction): whoever held it before a withdrawal cannot write after it.
    """
    await tx.execute(
        """INSERT INTO leases (kind, subject, scope, generation)
           VALUES ($1, $2, $3, pg_current_xact_id()::text::bigint)
           ON CONFLICT (kind, subject) DO UPDATE
           SET scope = excluded.scope, holder = NULL, generation = leases.generation + 1""",
        kind, subject, scope,
    )  # fmt: skip


async def withdraw(tx: Connection, kind: str, subject: str) -> None:
    """Have no lease for this subject any more; its holder's writes are refused from now on."""
    await tx.execute("DELETE FROM leases WHERE kind = $1 AND subject = $2", kind, subject)


async def take(tx: Connection, kind: str, subject: str, scope: str, holder: str) -> bool:
    """Give this lease to a holder that is alive, in this scope; False when either is not there."""
    result = await tx.execute(
        """UPDATE leases SET scope = $3, holder = $4, generation = generation + 1
           WHERE kind = $1 AND subject = $2 AND EXISTS (SELECT FROM holders WHERE id = $4 AND expires_at > now())""",
        kind, subject, scope, holder,
    )  # fmt: skip
    return result != "UPDATE 0"


async def claim(db: Database, kind: str, scopes: list[str] | None, holder: str, limit: int) -> dict[str, int]:
    """Take free leases, and those of holders that have died; returns generation by subject."""
    rows = await db.fetch(
        """WITH free AS MATERIALIZED (
               SELECT kind, subject FROM leases
               WHERE kind = $1 AND ($2::text[] IS NULL OR scope = ANY ($2))
                 AND (holder IS NULL OR NOT EXISTS
                      (SELECT FROM holders h WHERE h.id = leases.holder AND h.expires_at > now()))
               LIMIT $4 FOR UPDATE SKIP LOCKED)
           UPDATE leases l SET holder = $3, generation = l.generation + 1 FROM free
           WHERE l.kind = free.kind AND l.subject = free.subject
           RETURNING l.subject, l.generation""",
        kind, scopes, holder, limit,
    )  # fmt: skip
    return {row["subject"]: row["generation"] for row in rows}


async def held(db: Database, kind: str, holder: str) -> list[tuple[str, int, int]]:
    """What this holder holds now: subject, generation, and how often its holder was nudged."""
    rows = await db.fetch(
        "SELECT subject, generation, nudges FROM leases WHERE kind = $1 AND holder = $2", kind, holder
    )
    return [(row["subject"], row["generation"], row["nudges"]) for row in rows]


async def nudge(db: Database | Connection, kind: str, subject: str) -> None:
    """Have whoever holds this subject look at it at once."""
    await db.execute("UPDATE leases SET nudges = nudges + 1 WHERE kind = $1 AND subject = $2", kind, subject)


async def release(db: Database, kind: str, subject: str, generation: int) -> None:
    """Give one lease back, if it is still the same one."""
    await db.execute(
        "UPDATE leases SET holder = NULL WHERE kind = $1 AND subject = $2 AND generation = $3",
        kind,
        subject,
        generation,
    )


async def lock(tx: Connection, kind: str, subject: str, generation: int) -> bool:
    """Lock the lease against a change of hands until the transaction ends; False when it already changed."""
    return (
        await tx.fetchval(
            "SELECT true FROM leases WHERE kind = $1 AND subject = $2 AND generation = $3 FOR SHARE",
            kind,
            subject,
            generation,
        )
        or False
    )
