"""The operators' tables."""

from datetime import timedelta
from typing import Any

import asyncpg

from mooring.errors import Conflict
from mooring.operators.types import Operator, Role
from mooring.store import Connection, Database, in_batches

_COLUMNS = "o.id, o.name, o.role, o.application_id, o.created_at"


def _operator(row: Any) -> Operator:
    return Operator(row["id"], row["name"], Role(row["role"]), row["application_id"], row["created_at"])


async def insert(
    db: Database, *, operator_id: str, name: str, role: Role, application_id: str | None, password: str
) -> Operator:
    """Write a new operator.

    Raises:
        Conflict: the name is taken.
    """
    try:
        row = await db.fetchrow(
            f"""INSERT INTO operators AS o (id, name, role, application_id, password)
                VALUES ($1, $2, $3, $4, $5) RETURNING {_COLUMNS}""",
            operator_id, name, role, application_id, password,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise Conflict(f"There is an operator {name!r} already.", hint="`mooring operator list` shows them.") from None
    return _operator(row)


async def by_name(db: Database, name: str) -> tuple[Operator, str] | None:
    """The operator of this name, in whichever capitals, and the hash of the password."""
    row = await db.fetchrow(f"SELECT {_COLUMNS}, o.password FROM operators o WHERE lower(o.name) = lower($1)", name)
    return (_operator(row), row["password"]) if row else None


async def every(db: Database) -> list[Operator]:
    """All operators, oldest first."""
    return [_operator(r) for r in await db.fetch(f"SELECT {_COLUMNS} FROM operators o ORDER BY o.created_at, o.id")]


async def any_operator(db: Database) -> bool:
    """Whether somebody can sign in at all."""
    return bool(await db.fetchval("SELECT EXISTS (SELECT FROM operators)"))


async def delete(db: Database, operator_id: str) -> None:
    """Delete the operator, whose sessions end with it."""
    await db.execute("DELETE FROM operators WHERE id = $1", operator_id)


async def set_password(db: Connection | Database, operator_id: str, password: str) -> None:
    """Write the hash of another password."""
    await db.execute("UPDATE operators SET password = $2 WHERE id = $1", operator_id, password)


async def replace_password(db: Database, operator_id: str, old: str, new: str) -> None:
    """Put another hash in the place of this one, unless the password was changed meanwhile."""
    await db.execute("UPDATE operators SET password = $3 WHERE id = $1 AND password = $2", operator_id, old, new)


async def insert_session(db: Database, token_hash: bytes, operator_id: str, password: str, life: timedelta) -> bool:
    """Begin a session; False when the operator is gone, or has another password than this hash's by now."""
    result = await db.execute(
        """INSERT INTO operator_sessions (hash, operator_id, expires_at)
           SELECT $1, id, now() + $4 FROM operators WHERE id = $2 AND password = $3 FOR SHARE""",
        token_hash, operator_id, password, life,
    )  # fmt: skip
    return result != "INSERT 0 0"


async def by_session(db: Database, token_hash: bytes) -> Operator | None:
    """Whose session this is, as long as it lasts."""
    row = await db.fetchrow(
        f"""SELECT {_COLUMNS} FROM operator_sessions s JOIN operators o ON o.id = s.operator_id
            WHERE s.hash = $1 AND s.expires_at > now()""",
        token_hash,
    )
    return _operator(row) if row else None


async def end_session(db: Database, token_hash: bytes) -> None:
    """End this session, if there is one."""
    await db.execute("DELETE FROM operator_sessions WHERE hash = $1", token_hash)


async def end_sessions(tx: Connection, operator_id: str) -> None:
    """End every session of this operator."""
    await tx.execute("DELETE FROM operator_sessions WHERE operator_id = $1", operator_id)


async def forget_sessions(db: Database) -> None:
    """Delete the sessions that have ended."""
    await in_batches(
        db,
        """WITH gone AS MATERIALIZED (
               SELECT hash FROM operator_sessions WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)
           DELETE FROM operator_sessions s USING gone WHERE s.hash = gone.hash""",
    )
