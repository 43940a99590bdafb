"""The tables of access tokens and codes."""

from datetime import datetime, timedelta

from mooring.grants.types import Grant
from mooring.store import Connection, Database, in_batches


async def insert_token(tx: Connection | Database, token_hash: bytes, grant_id: str) -> None:
    await tx.execute("INSERT INTO access_tokens (hash, grant_id) VALUES ($1, $2)", token_hash, grant_id)


async def token_issued_at(db: Database, grant_id: str, token_hash: bytes) -> datetime | None:
    """When this token of the grant was issued; None when it is none of the grant's."""
    return await db.fetchval(
        "SELECT created_at FROM access_tokens WHERE hash = $1 AND grant_id = $2", token_hash, grant_id
    )


async def delete_token(db: Database, token_hash: bytes) -> None:
    await db.execute("DELETE FROM access_tokens WHERE hash = $1", token_hash)


async def delete_tokens(db: Database, grant_id: str, *, but: bytes | None) -> None:
    """Delete the grant's tokens, all but this one."""
    await db.execute("DELETE FROM access_tokens WHERE grant_id = $1 AND hash IS DISTINCT FROM $2", grant_id, but)


async def insert_code(db: Database, code_hash: bytes, grant: Grant, life: timedelta) -> None:
    await db.execute(
        "INSERT INTO authorization_codes (hash, application_id, grant_id, expires_at) VALUES ($1, $2, $3, now() + $4)",
        code_hash, grant.application_id, grant.id, life,
    )  # fmt: skip


async def take_code(db: Database, application_id: str, code_hash: bytes) -> str | None:
    """The grant's id of a code that is good, which it no longer is after this."""
    return await db.fetchval(
        """DELETE FROM authorization_codes WHERE hash = $1 AND application_id = $2 AND expires_at > now()
           RETURNING grant_id""",
        code_hash, application_id,
    )  # fmt: skip


async def forget_codes(db: Database) -> None:
    """Delete the codes that are good no longer, and that nobody came for."""
    await in_batches(
        db,
        """WITH gone AS MATERIALIZED (
               SELECT hash FROM authorization_codes WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)
           DELETE FROM authorization_codes c USING gone WHERE c.hash = gone.hash""",
    )
