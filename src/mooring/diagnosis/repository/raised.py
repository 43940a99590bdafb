"""Failures of accounts, as they are looked at without anybody asking."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mooring.store import Connection, Database

_FAILING = """
    SELECT g.id, g.synced_at AS well_at,
           concat_ws(' ', g.sync_error ->> 'host', g.sync_error ->> 'port', g.sync_error ->> 'environment',
                           CASE WHEN g.sync_error ->> 'stage' IN ('resolve', 'connect', 'tls', 'greeting')
                                THEN 'reach' ELSE g.sync_error ->> 'stage' END) AS failure
    FROM grants g
    WHERE g.sync_error IS NOT NULL AND g.stopped_at IS NULL AND coalesce(g.sync_error ->> 'host', '') <> ''
      -- A refused password is told as that; of an account that was never in step it may be a filter in disguise.
      AND (g.status = 'valid' OR g.synced_at IS NULL)
    UNION ALL
    SELECT g.id, s.sent_at, concat_ws(' ', s.error ->> 'host', s.error ->> 'port', s.error ->> 'environment', 'send')
    FROM (SELECT DISTINCT ON (grant_id) grant_id, error,
                 (SELECT max(t.created_at) FROM submissions t
                  WHERE t.grant_id = r.grant_id AND t.state = 'sent') AS sent_at
          FROM submissions r
          WHERE state = 'refused' AND created_at > now() - interval '10 minutes'
            AND (error ->> 'stage' IN ('connect', 'tls', 'greeting')
                 OR error ->> 'stage' = 'send' AND error ->> 'reason' = 'refused')
          ORDER BY grant_id, created_at DESC) s
    JOIN grants g ON g.id = s.grant_id
    WHERE g.sync_error IS NULL AND g.stopped_at IS NULL AND g.status = 'valid'
"""
"""Accounts that fail for the network's or the server's sake, what fails, and when it last did not."""

_FORGOTTEN = timedelta(hours=1)
"""A failure that was due for so long, and not looked at, was none meanwhile: only those that go on are looked at."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A failure that is due to be looked at.

    Attributes:
        since: when the account began to fail, however that has changed since.
        code: the verdict that was told of the account last; "" if none was.
        now: by the database's clock.
    """

    grant_id: str
    since: datetime
    code: str
    now: datetime


async def notice(db: Database, first: timedelta) -> None:
    """Write down which accounts fail that did not, or otherwise; each is due after this time, when there is more.

    Who was well in between begins anew. What was told is kept, whatever the failure becomes.
    """
    await db.execute(
        f"""WITH anew AS (
                SELECT r.grant_id, f.failure FROM raised r JOIN ({_FAILING}) f ON f.id = r.grant_id
                WHERE r.since < f.well_at OR r.due_at < now() - $2::interval
                ORDER BY r.grant_id FOR UPDATE OF r SKIP LOCKED)
            UPDATE raised r SET failure = anew.failure, since = now(), due_at = now() + $1
            FROM anew WHERE r.grant_id = anew.grant_id""",
        first, _FORGOTTEN,
    )  # fmt: skip
    await db.execute(
        f"""INSERT INTO raised AS r (grant_id, failure, due_at)
            SELECT f.id, f.failure, now() + $1 FROM ({_FAILING}) f
            WHERE NOT EXISTS (SELECT FROM raised k WHERE k.grant_id = f.id AND k.failure = f.failure)
            ORDER BY f.id
            ON CONFLICT (grant_id) DO UPDATE
                SET failure = excluded.failure, due_at = least(r.due_at, excluded.due_at)""",
        first,
    )


async def due(db: Database, limit: int) -> list[str]:
    """The accounts whose failures are due, as long as they go on."""
    rows = await db.fetch(
        f"""SELECT r.grant_id FROM raised r JOIN ({_FAILING}) f ON f.id = r.grant_id
            WHERE r.due_at <= now() ORDER BY r.due_at LIMIT $1""",
        limit,
    )
    return [row["grant_id"] for row in rows]


async def take(tx: Connection, grant_id: str) -> Noticed | None:
    """The failure, if it is still due and nobody else looks at it; nobody does until the transaction ends."""
    # Who deletes an account locks it first.
    await tx.execute("SELECT FROM grants WHERE id = $1 FOR KEY SHARE", grant_id)
    row = await tx.fetchrow(
        """SELECT grant_id, since, code, now() AS now FROM raised
           WHERE grant_id = $1 AND due_at <= now() FOR UPDATE SKIP LOCKED""",
        grant_id,
    )
    return Noticed(**row) if row is not None else None


async def put_off(tx: Connection, grant_id: str, again: timedelta) -> None:
    """Look again after this time."""
    await tx.execute("UPDATE raised SET due_at = now() + $2 WHERE grant_id = $1", grant_id, again)


async def told_at(tx: Connection, grant_id: str, by: str, code: str) -> datetime | None:
    """When this verdict was last told of the account by itself; None: never, as far back as diagnoses are kept."""
    return await tx.fetchval(
        "SELECT max(created_at) FROM diagnoses WHERE grant_id = $1 AND by = $2 AND verdict ->> 'code' = $3",
        grant_id, by, code,
    )  # fmt: skip


async def conclude(tx: Connection, grant_id: str, code: str, diagnosis_id: str, again: timedelta) -> None:
    """Keep what was told; look again after this time whether it is still so."""
    await tx.execute(
        "UPDATE raised SET code = $2, diagnosis_id = $3, due_at = now() + $4 WHERE grant_id = $1",
        grant_id, code, diagnosis_id, again,
    )  # fmt: skip
