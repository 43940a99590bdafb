"""Watches and what has changed in them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from mooring.diagnosis.types import Question
from mooring.diagnosis.watches.rules import Change, Standing
from mooring.diagnosis.watches.watch import Authentication, ServerWatch, WatchClaim
from mooring.store import Connection, Database, in_batches

KEPT = timedelta(days=30)
"""How long a watch that has ended can be read."""

_COLUMNS = """id, application_id, coalesce(diagnosis_id, '') AS diagnosis_id, environment, question, standing,
authentication, coalesce(grant_id, '') AS grant_id, error, due_at, created_at, ended_at"""


async def insert(
    tx: Connection,
    watch_id: str,
    *,
    diagnosis_id: str,
    environment: str,
    question: Question,
    subject: str,
    request: bytes | None,
    most: int,
) -> bool:
    """Write a new watch down, due at once; False when the application has as many as it may.

    Args:
        request: the account to connect, sealed.
        subject: of that account; "" without one.
    """
    await tx.execute("SELECT FROM applications WHERE id = $1 FOR UPDATE", question.application_id)
    result = await tx.execute(
        """INSERT INTO watches (id, application_id, diagnosis_id, environment, question, standing, state,
                                authentication, request, subject, due_at)
           SELECT $1, $2, nullif($3, ''), $4, $5, jsonb_build_object('began', now()), 'waiting', $6, $7, $8, now()
           WHERE (SELECT count(*) FROM watches WHERE application_id = $2 AND due_at IS NOT NULL) < $9""",
        watch_id, question.application_id, diagnosis_id, environment, question,
        Authentication.WANTED if request is not None else Authentication.NONE, request, subject, most,
    )  # fmt: skip
    return result == "INSERT 0 1"


async def of_diagnosis(tx: Connection, diagnosis_id: str, *, but: str) -> str | None:
    """The id of another watch that goes on for a diagnosis; nobody makes one until the transaction ends."""
    return await tx.fetchval(
        "SELECT id FROM watches WHERE diagnosis_id = $1 AND due_at IS NOT NULL AND id <> $2", diagnosis_id, but
    )


async def get(db: Database, application_id: str, watch_id: str) -> ServerWatch | None:
    """One watch of the application, with what has changed."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM watches WHERE id = $1 AND application_id = $2", watch_id, application_id
    )
    if row is None:
        return None
    told = await db.fetch("SELECT data FROM watch_changes WHERE watch_id = $1 ORDER BY number", watch_id)
    return _watch(row, tuple(msgspec.convert(one["data"], Change) for one in told))


async def newest(
    db: Database, application_id: str, *, limit: int, before: tuple[datetime, str] | None
) -> list[ServerWatch]:
    """The application's watches, the newest first, without their changes."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM watches
            WHERE application_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::text))
            ORDER BY created_at DESC, id DESC LIMIT $4""",
        application_id, *(before or (None, None)), limit,
    )  # fmt: skip
    return [_watch(row) for row in rows]


async def delete(db: Database, application_id: str, watch_id: str) -> bool:
    """Delete a watch with all that it holds; False when there was none."""
    result = await db.execute("DELETE FROM watches WHERE id = $1 AND application_id = $2", watch_id, application_id)
    return result != "DELETE 0"


async def claim(
    db: Database, environments: Sequence[str], limit: int, within: timedelta
) -> tuple[list[WatchClaim], list[tuple[str, str]]]:
    """Take those that are due; they are due again if nobody has written what it saw within this time.

    Returns: those that can be read, and of the others the id and why not.
    """
    rows = await db.fetch(
        """WITH due AS MATERIALIZED (
               SELECT id FROM watches WHERE due_at <= now() AND environment = ANY ($1)
               ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
           UPDATE watches w SET look = look + 1, due_at = now() + $3 FROM due WHERE w.id = due.id
           RETURNING w.id, look, application_id, environment, question, standing, authentication, subject, tries,
                     tried_at, created_at, now() AS now, request""",
        list(environments), limit, within,
    )  # fmt: skip
    claims: list[WatchClaim] = []
    unreadable: list[tuple[str, str]] = []
    for row in rows:
        try:
            claims.append(_claim(row))
        except ValueError as e:
            unreadable.append((row["id"], str(e)))
    return claims, unreadable


async def record(
    tx: Connection,
    claim: WatchClaim,
    standing: Standing,
    changes: Sequence[Change],
    *,
    due_in: timedelta | None,
    give_back: bool,
) -> bool:
    """Write what a look saw; False when somebody else has begun another, or the watch is gone.

    Args:
        due_in: until the next look; None: the watch has ended, and what it holds of an account is erased.
        give_back: others may look from then on; else it stays claimed, since there is more to do.
    """
    last = await tx.fetchval(
        """UPDATE watches SET standing = $3, state = $4, told = told + $5,
               due_at = CASE WHEN $6::interval IS NULL THEN NULL WHEN $7 THEN now() + $6 ELSE due_at END,
               ended_at = CASE WHEN $6::interval IS NULL THEN now() END,
               request = CASE WHEN $6::interval IS NULL THEN NULL ELSE request END,
               authentication = CASE WHEN $6::interval IS NULL AND authentication IN ('wanted', 'trying')
                                     THEN 'failed' ELSE authentication END
           WHERE id = $1 AND look = $2 RETURNING told""",
        claim.id, claim.look, standing, standing.state, len(changes), due_in, give_back,
    )  # fmt: skip
    if last is None:
        return False
    await _tell(tx, claim.id, last, changes)
    return True


async def begin_to_authenticate(db: Database, claim: WatchClaim) -> int | None:
    """Write that the account is being connected, before anything is; how often by now, None: it is not to be.

    Where somebody has begun, and died before he asked anybody, that was no time of its own.
    """
    return await db.fetchval(
        """UPDATE watches SET authentication = 'trying', tried_at = now(),
               tries = tries + (authentication = 'wanted')::int
           WHERE id = $1 AND look = $2 AND authentication IN ('wanted', 'trying') RETURNING tries""",
        claim.id, claim.look,
    )  # fmt: skip


async def end_authentication(
    tx: Connection,
    claim: WatchClaim,
    became: Authentication,
    changes: Sequence[Change],
    *,
    due_in: timedelta,
    grant_id: str = "",
    error: str = "",
    counts: bool = True,
) -> bool:
    """Write what became of connecting the account; False when somebody else has begun another look.

    Unless it is still wanted, what was kept of the account is erased.

    Args:
        counts: whether it was one of the times that it may be tried.
    """
    last = await tx.fetchval(
        """UPDATE watches SET authentication = $3, grant_id = nullif($4, ''), error = $5, told = told + $6,
               request = CASE WHEN $3 = 'wanted' THEN request END, due_at = now() + $7,
               tries = tries - CASE WHEN $8 THEN 0 ELSE 1 END
           WHERE id = $1 AND look = $2 AND authentication = 'trying' RETURNING told""",
        claim.id, claim.look, became, grant_id, error, len(changes), due_in, counts,
    )  # fmt: skip
    if last is None:
        return False
    await _tell(tx, claim.id, last, changes)
    return True


async def sealed_requests(db: Database) -> list[tuple[str, bytes]]:
    """Every sealed request with its watch's id, for sealing anew."""
    rows = await db.fetch("SELECT id, request FROM watches WHERE request IS NOT NULL")
    return [(row["id"], row["request"]) for row in rows]


async def replace_request(db: Database, watch_id: str, old: bytes, new: bytes) -> None:
    """Put the newly sealed request in the place of the old one, if it is still there."""
    await db.execute("UPDATE watches SET request = $3 WHERE id = $1 AND request = $2", watch_id, old, new)


async def forget_watches(db: Database) -> int:
    """Delete those that ended longer ago than ``KEPT``; returns how many."""
    return await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT id FROM watches WHERE ended_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM watches w USING old WHERE w.id = old.id""",
        KEPT,
    )


async def _tell(tx: Connection, watch_id: str, last: int, changes: Sequence[Change]) -> None:
    await tx.executemany(
        "INSERT INTO watch_changes (watch_id, number, data) VALUES ($1, $2, $3)",
        [(watch_id, last - len(changes) + n, change) for n, change in enumerate(changes, 1)],
    )


def _watch(row: Any, changes: tuple[Change, ...] = ()) -> ServerWatch:
    fields = dict(row)
    fields["question"] = msgspec.convert(row["question"], Question)
    fields["standing"] = msgspec.convert(row["standing"], Standing)
    fields["authentication"] = Authentication(row["authentication"])
    return ServerWatch(**fields, changes=changes)


def _claim(row: Any) -> WatchClaim:
    fields = dict(row)
    fields["question"] = msgspec.convert(row["question"], Question)
    fields["standing"] = msgspec.convert(row["standing"], Standing)
    fields["authentication"] = Authentication(row["authentication"])
    return WatchClaim(**fields)
