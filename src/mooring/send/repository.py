"""The submissions' table. All times are the database's own."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from mooring.errors import NotFound
from mooring.large import windows
from mooring.send.types import SubmissionState
from mooring.store import Connection, Database, in_batches

STREAMED = 1024 * 1024
"""Bytes of a packed letter from which it goes to the database in pieces."""

_FOR_EVER = b"\x7f" + b"\xff" * 7
"""The time stamp ``infinity`` in PostgreSQL's binary form; it stands until the same transaction sets the real one."""


@dataclass(frozen=True, slots=True)
class Row:
    """A submission as far as it is asked about afterwards.

    Attributes:
        abandoned: its time is over, and nobody wrote what became of it.
        expired: it was made too long ago to answer for its Idempotency-Key.
        response: packed.
    """

    grant_id: str
    id: str
    message_id: str
    request_hash: bytes
    state: SubmissionState
    abandoned: bool
    expired: bool
    response: bytes | None = field(repr=False)
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class DueCopy:
    """A letter whose copy in Sent is due; whoever holds it has tried ``attempts`` times, this one included."""

    grant_id: str
    id: str
    message_id: str
    message_id_header: str
    attempts: int
    created_at: datetime


_ROW = """
grant_id, id, message_id, request_hash, state, state IN ('intended', 'sending') AND given_up_at < now() AS abandoned,
created_at < now() - $1::interval AS expired, response, error
"""


def _row(record: Any) -> Row:
    fields: dict[str, Any] = dict(record)
    fields["state"] = SubmissionState(record["state"])
    return Row(**fields)


async def intend(
    db: Database,
    grant_id: str,
    submission_id: str,
    *,
    idempotency_key: str | None,
    request_hash: bytes,
    message_id: str,
    message_id_header: str,
    raw: bytes,
    life: timedelta,
) -> bool:
    """Write the intent; False when another submission has this Idempotency-Key.

    Args:
        life: after this it is taken for abandoned.
    Raises:
        NotFound: the grant has been deleted.
    """
    columns = {
        "grant_id": grant_id, "id": submission_id, "idempotency_key": idempotency_key, "request_hash": request_hash,
        "state": SubmissionState.INTENDED, "message_id": message_id, "message_id_header": message_id_header,
    }  # fmt: skip
    try:
        if len(raw) > STREAMED:
            return await _intend_by_copy(db, columns, raw, life)
        result = await db.execute(
            f"""INSERT INTO submissions ({", ".join(columns)}, raw, given_up_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9)
                ON CONFLICT (grant_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING""",
            *columns.values(), raw, life,
        )  # fmt: skip
    except asyncpg.ForeignKeyViolationError as e:
        raise NotFound(f"The grant {grant_id} has been deleted.") from e
    return result != "INSERT 0 0"


async def _intend_by_copy(db: Database, columns: Mapping[str, str | bytes | None], raw: bytes, life: timedelta) -> bool:
    """The same, with the letter in pieces: of one parameter the driver makes three copies, in one turn of the loop."""
    values = [value.encode() if isinstance(value, str) else value for value in columns.values()]
    try:
        async with db.transaction() as tx:
            await tx.copy_to_table(
                "submissions",
                source=_copied_row([*values, _FOR_EVER], raw),
                columns=[*columns, "given_up_at", "raw"],
                format="binary",
            )
            await tx.execute(
                "UPDATE submissions SET given_up_at = now() + $3 WHERE grant_id = $1 AND id = $2",
                columns["grant_id"], columns["id"], life,
            )  # fmt: skip
    except asyncpg.UniqueViolationError:
        return False
    return True


async def _copied_row(values: Sequence[bytes | None], last: bytes) -> AsyncGenerator[bytes]:
    """One row in COPY's binary form, the last value by windows.

    Source: PostgreSQL's manual, "COPY", binary format.
    """
    fields = [b"\xff" * 4 if value is None else len(value).to_bytes(4, "big") + value for value in values]
    count = (len(values) + 1).to_bytes(2, "big")
    yield b"".join((b"PGCOPY\n\xff\r\n\x00", bytes(8), count, *fields, len(last).to_bytes(4, "big")))
    for start, end in windows(len(last)):
        yield last[start:end]
    yield b"\xff\xff"


async def failures(db: Database, grant_id: str, since: datetime) -> list[tuple[datetime, dict[str, Any]]]:
    """When the grant's letters that were not sent were given to us, and why they were not, the oldest first."""
    rows = await db.fetch(
        """SELECT created_at, error FROM submissions
           WHERE grant_id = $1 AND state IN ('refused', 'unknown') AND error IS NOT NULL AND created_at >= $2
           ORDER BY created_at""",
        grant_id, since,
    )  # fmt: skip
    return [(row["created_at"], row["error"]) for row in rows]


async def begin(db: Database, grant_id: str, submission_id: str, life: timedelta) -> bool:
    """Write that it is being handed over; False when it is not to be any more."""
    result = await db.execute(
        """UPDATE submissions SET state = 'sending', given_up_at = now() + $3
           WHERE grant_id = $1 AND id = $2 AND state = 'intended' AND given_up_at >= now()""",
        grant_id, submission_id, life,
    )  # fmt: skip
    return result != "UPDATE 0"


async def hold_grant(tx: Connection, grant_id: str) -> bool:
    """Keep the grant from being deleted until the transaction ends; False when it has been."""
    return await tx.fetchval("SELECT true FROM grants WHERE id = $1 FOR KEY SHARE", grant_id) or False


async def sent(tx: Connection, grant_id: str, submission_id: str, response: bytes | None) -> bool:
    """Write that a server took it, also where that was thought unknown; its copy is due at once."""
    result = await tx.execute(
        """UPDATE submissions SET state = 'sent', response = $3, error = NULL, copy_state = 'pending',
               copy_due_at = now()
           WHERE grant_id = $1 AND id = $2 AND state IN ('sending', 'unknown')""",
        grant_id, submission_id, response,
    )  # fmt: skip
    return result != "UPDATE 0"


async def refused(tx: Connection, grant_id: str, submission_id: str, error: dict[str, Any]) -> bool:
    """Write that nobody got it."""
    result = await tx.execute(
        """UPDATE submissions SET state = 'refused', error = $3, raw = NULL
           WHERE grant_id = $1 AND id = $2 AND state IN ('intended', 'sending')""",
        grant_id, submission_id, error,
    )  # fmt: skip
    return result != "UPDATE 0"


async def unknown(tx: Connection, grant_id: str, submission_id: str, error: dict[str, Any]) -> bool:
    """Write that nobody can say who got it."""
    result = await tx.execute(
        "UPDATE submissions SET state = 'unknown', error = $3 WHERE grant_id = $1 AND id = $2 AND state = 'sending'",
        grant_id, submission_id, error,
    )  # fmt: skip
    return result != "UPDATE 0"


async def by_key(db: Database, grant_id: str, idempotency_key: str, validity: timedelta) -> Row | None:
    """The submission that has this Idempotency-Key."""
    record = await db.fetchrow(
        f"SELECT {_ROW} FROM submissions WHERE grant_id = $2 AND idempotency_key = $3",
        validity, grant_id, idempotency_key,
    )  # fmt: skip
    return _row(record) if record else None


async def release_key(db: Database, grant_id: str, submission_id: str) -> None:
    """Have the submission answer for its Idempotency-Key no longer."""
    await db.execute(
        "UPDATE submissions SET idempotency_key = NULL WHERE grant_id = $1 AND id = $2", grant_id, submission_id
    )


async def abandoned(db: Database, limit: int) -> list[Row]:
    """Submissions that nobody works on any more, and whose end nobody wrote."""
    records = await db.fetch(
        f"""SELECT {_ROW} FROM submissions WHERE state IN ('intended', 'sending') AND given_up_at < now()
            ORDER BY given_up_at LIMIT $2""",
        timedelta(0), limit,
    )  # fmt: skip
    return [_row(record) for record in records]


async def forget(db: Database, *, settled: timedelta, unknown: timedelta) -> None:
    """Delete what is done and older than this, and letters and answers that nothing is waiting for."""
    await in_batches(
        db,
        """WITH gone AS MATERIALIZED (
               SELECT grant_id, id FROM submissions
               WHERE (state IN ('sent', 'refused') AND copy_state <> 'pending' AND created_at < now() - $1::interval)
                  OR (state = 'unknown' AND created_at < now() - $2::interval)
               LIMIT $3 FOR UPDATE SKIP LOCKED)
           DELETE FROM submissions s USING gone WHERE s.grant_id = gone.grant_id AND s.id = gone.id""",
        settled, unknown,
    )  # fmt: skip
    await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT grant_id, id FROM submissions
               WHERE created_at < now() - $1::interval
                 AND (response IS NOT NULL OR (state = 'unknown' AND raw IS NOT NULL))
               LIMIT $2 FOR UPDATE SKIP LOCKED)
           UPDATE submissions s SET response = NULL, raw = CASE WHEN state = 'unknown' THEN NULL ELSE raw END
           FROM old WHERE s.grant_id = old.grant_id AND s.id = old.id""",
        settled,
    )


async def claim_copies(
    db: Database, *, scopes: list[str] | None, without: list[str], hold: timedelta, limit: int
) -> list[DueCopy]:
    """Take copies that are due; until ``hold`` is over nobody else does.

    Args:
        scopes: the environments that this process serves; None for all. A grant's is that of its mailbox's lease.
        without: grants to leave alone.
    """
    records = await db.fetch(
        """UPDATE submissions s SET copy_due_at = now() + $3, copy_attempts = s.copy_attempts + 1
           FROM (SELECT s.grant_id, s.id FROM submissions s
                 JOIN leases l ON l.kind = 'mailbox' AND l.subject = s.grant_id
                 WHERE s.copy_state = 'pending' AND s.copy_due_at <= now()
                   AND ($1::text[] IS NULL OR l.scope = ANY ($1)) AND s.grant_id <> ALL ($2)
                 ORDER BY s.copy_due_at LIMIT $4 FOR UPDATE OF s SKIP LOCKED) due
           WHERE s.grant_id = due.grant_id AND s.id = due.id
           RETURNING s.grant_id, s.id, s.message_id, s.message_id_header, s.copy_attempts AS attempts, s.created_at""",
        scopes, without, hold, limit,
    )  # fmt: skip
    return sorted((DueCopy(**record) for record in records), key=lambda copy: copy.created_at)


async def raw(db: Database, grant_id: str, submission_id: str) -> bytes | None:
    """The packed letter; None when it is there no more."""
    return await db.fetchval("SELECT raw FROM submissions WHERE grant_id = $1 AND id = $2", grant_id, submission_id)


async def copied(db: Database, grant_id: str, submission_id: str) -> None:
    """Write that the copy is there; the letter itself is needed no longer."""
    await db.execute(
        "UPDATE submissions SET copy_state = 'done', copy_due_at = NULL, raw = NULL WHERE grant_id = $1 AND id = $2",
        grant_id, submission_id,
    )  # fmt: skip


async def postpone_copy(db: Database, grant_id: str, submission_id: str, delay: timedelta) -> None:
    """Have the copy come due again after this."""
    await db.execute(
        """UPDATE submissions SET copy_due_at = now() + $3
           WHERE grant_id = $1 AND id = $2 AND copy_state = 'pending'""",
        grant_id, submission_id, delay,
    )  # fmt: skip
