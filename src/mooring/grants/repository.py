"""The grants' tables."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from mooring.config import Generation, Kind
from mooring.grants.seen import ServerSeen
from mooring.grants.types import Grant, GrantStatus, Settings, SyncHealth
from mooring.jobs import LeaseKind, hold
from mooring.store import Connection, Database

_SELECT = """
SELECT g.id, g.application_id, a.generation, a.region, a.static_ips = 'on' AS feature_on, g.provider, g.email,
       g.mail_domain, g.subject, g.environment, g.status, g.settings, g.name, g.state, g.scope, g.user_agent, g.ip,
       g.sync_error, g.synced_at, g.stopped_at, g.landmarks, g.metadata, g.created_at, g.updated_at,
       (SELECT m.due_at FROM moves m WHERE m.grant_id = g.id AND m.ended_at IS NULL) AS start_due_at
FROM grants g JOIN applications a ON a.id = g.application_id
"""

SORTS = {"created_at": "g.created_at", "updated_at": "g.updated_at"}


@dataclass(frozen=True, slots=True)
class GrantQuery:
    """Which grants to list; None asks for any. Times are unix seconds.

    Attributes:
        email: the whole address; ``part``: what is anywhere in it.
    """

    limit: int = 10
    offset: int = 0
    email: str | None = None
    part: str | None = None
    provider: str | None = None
    status: str | None = None
    since: int | None = None
    before: int | None = None
    sort_by: str = "created_at"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """How many accounts an application has, and how many of them are not kept in step."""

    accounts: int = 0
    failing: int = 0


def _grant(row: Any) -> Grant:
    fields = dict(row)
    fields["generation"] = Generation(row["generation"])
    fields["environment"] = Kind(row["environment"])
    fields["status"] = GrantStatus(row["status"])
    fields["settings"] = msgspec.convert(row["settings"], Settings)
    fields["scope"] = tuple(row["scope"])
    if row["landmarks"] is not None:
        fields["landmarks"] = {folder: (validity, uid) for folder, (validity, uid) in row["landmarks"].items()}
    return Grant(**fields)


async def by_id(db: Database, grant_id: str, application_id: str | None = None) -> Grant | None:
    row = await db.fetchrow(
        f"{_SELECT} WHERE g.id = $1 AND ($2::text IS NULL OR g.application_id = $2)", grant_id, application_id
    )
    return _grant(row) if row else None


async def by_ids(db: Database, grant_ids: list[str]) -> list[Grant]:
    return [_grant(row) for row in await db.fetch(f"{_SELECT} WHERE g.id = ANY ($1)", grant_ids)]


async def by_email(db: Database, application_id: str, email: str) -> Grant | None:
    """The oldest valid grant of this address, one by its own login first; of all when none is valid (spec §6.18)."""
    row = await db.fetchrow(
        f"""{_SELECT} WHERE g.application_id = $1 AND g.email = $2
            ORDER BY g.status = 'valid' DESC,
                     lower(g.settings -> 'imap' ->> 'username') IN (g.email, split_part(g.email, '@', 1)) DESC,
                     g.created_at, g.id LIMIT 1""",
        application_id, email.lower(),
    )  # fmt: skip
    return _grant(row) if row else None


async def by_subject(tx: Connection, subject: str) -> str | None:
    """The id of the grant with this identity; nobody else makes it until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", subject)
    return await tx.fetchval("SELECT id FROM grants WHERE subject = $1", subject)


async def select(db: Database, application_id: str, query: GrantQuery) -> list[Grant]:
    direction = "DESC" if query.descending else "ASC"
    rows = await db.fetch(
        f"""{_SELECT} WHERE g.application_id = $1 AND ($2::text IS NULL OR g.email = lower($2))
            AND ($3::text IS NULL OR g.provider = $3) AND ($4::text IS NULL OR g.status = $4)
            AND ($5::bigint IS NULL OR g.created_at >= to_timestamp($5))
            AND ($6::bigint IS NULL OR g.created_at < to_timestamp($6))
            AND ($9::text IS NULL OR strpos(g.email, lower($9)) > 0)
            ORDER BY {SORTS[query.sort_by]} {direction}, g.id LIMIT $7 OFFSET $8""",
        application_id, query.email, query.provider, query.status, query.since, query.before, query.limit, query.offset,
        query.part,
    )  # fmt: skip
    return [_grant(row) for row in rows]


async def tallies(db: Database) -> dict[str, Tally]:
    """How many accounts each application has, by its id; those without any are left out."""
    rows = await db.fetch(
        """SELECT application_id, count(*) AS accounts,
                  count(*) FILTER (WHERE status <> 'valid' OR sync_error IS NOT NULL) AS failing
           FROM grants GROUP BY application_id"""
    )
    return {row["application_id"]: Tally(row["accounts"], row["failing"]) for row in rows}


async def count(db: Database, application_id: str) -> int:
    """How many grants the application has."""
    return await db.fetchval("SELECT count(*) FROM grants WHERE application_id = $1", application_id)


async def insert(tx: Connection, values: dict[str, Any]) -> None:
    """Write a new grant; ``values`` by column."""
    columns = ", ".join(values)
    places = ", ".join(f"${i}" for i in range(1, len(values) + 1))
    await tx.execute(f"INSERT INTO grants ({columns}) VALUES ({places})", *values.values())


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a grant is placed, whether it runs, and the version of all that a session is made from."""

    environment: Kind
    is_stopped: bool
    updated_at: datetime


async def hold_placed(tx: Connection, grant_id: str) -> Placed | None:
    """How the grant is placed, which stays so until the transaction ends; None when it is gone.

    Who changes an account locks in this order: its application, the lease of its mailbox, the lease of its move,
    itself, its move.
    """
    await hold(tx, LeaseKind.MAILBOX, [grant_id])
    await hold(tx, LeaseKind.MOVE, [grant_id])
    row = await tx.fetchrow("SELECT environment, stopped_at, updated_at FROM grants WHERE id = $1 FOR UPDATE", grant_id)
    return Placed(Kind(row["environment"]), row["stopped_at"] is not None, row["updated_at"]) if row else None


async def place(tx: Connection, grant_id: str, environment: str) -> tuple[bool, datetime]:
    """Write where the grant is placed; returns whether it was elsewhere, and its version from now on.

    A failure that was seen from the other place says nothing any more.
    """
    row = await tx.fetchrow(
        """UPDATE grants SET environment = $2, updated_at = clock_timestamp(),
                  sync_error = CASE WHEN status = 'valid' THEN NULL ELSE sync_error END
           FROM (SELECT environment FROM grants WHERE id = $1 FOR UPDATE) before
           WHERE id = $1 RETURNING before.environment <> $2 AS was_elsewhere, grants.updated_at""",
        grant_id, environment,
    )  # fmt: skip
    assert row is not None, "who places a grant holds it"
    return row["was_elsewhere"], row["updated_at"]


async def set_stopped(tx: Connection, grant_id: str, at: datetime | None) -> bool:
    """Write since when the grant is stopped (None: it runs); False when it was, or ran, already."""
    result = await tx.execute(
        """UPDATE grants SET stopped_at = $2, updated_at = clock_timestamp()
           WHERE id = $1 AND (stopped_at IS NULL) <> ($2::timestamptz IS NULL)""",
        grant_id, at,
    )  # fmt: skip
    return result != "UPDATE 0"


async def reauthenticate(tx: Connection, grant_id: str, values: dict[str, Any]) -> None:
    """Write what a new authentication brought. A failure that was told stays told until the mailbox is in step."""
    sets = ", ".join(f"{column} = ${i}" for i, column in enumerate(values, start=2))
    await tx.execute(
        f"""UPDATE grants SET {sets}, status = 'valid', sync_error = NULL, updated_at = now()
            WHERE id = $1""",
        grant_id, *values.values(),
    )  # fmt: skip


async def set_scope(tx: Connection, grant_id: str, scope: list[str]) -> None:
    await tx.execute("UPDATE grants SET scope = $2, updated_at = now() WHERE id = $1", grant_id, scope)


async def delete(tx: Connection, application_id: str, grant_id: str) -> bool:
    """Delete the grant with everything that hangs on it; False when it was not there."""
    result = await tx.execute("DELETE FROM grants WHERE id = $1 AND application_id = $2", grant_id, application_id)
    return result != "DELETE 0"


async def sealed(db: Database, grant_id: str) -> tuple[bytes, bytes] | None:
    """The sealed credentials and the sealed data key."""
    row = await db.fetchrow("SELECT credentials, data_key FROM grants WHERE id = $1", grant_id)
    return (row["credentials"], row["data_key"]) if row else None


async def to_be_moved(tx: Connection, application_id: str, environment: str) -> list[tuple[str, str]]:
    """The application's grants that are placed elsewhere and are not being moved, each with its mail server."""
    rows = await tx.fetch(
        """SELECT g.id, lower(g.settings -> 'imap' ->> 'host') AS server FROM grants g
           WHERE g.application_id = $1 AND g.environment <> $2
             AND NOT EXISTS (SELECT FROM moves m WHERE m.grant_id = g.id AND m.ended_at IS NULL AND NOT m.dry_run)
           ORDER BY g.created_at, g.id""",
        application_id, environment,
    )  # fmt: skip
    return [(row["id"], row["server"]) for row in rows]


async def set_status(tx: Connection, grant_id: str, status: str) -> bool:
    """Write the status; False when it was that already."""
    result = await tx.execute(
        "UPDATE grants SET status = $2, updated_at = now() WHERE id = $1 AND status <> $2", grant_id, status
    )
    return result != "UPDATE 0"


async def set_sync_health(tx: Connection, grant_id: str, error: dict[str, Any] | None) -> SyncHealth:
    """Write how synchronisation is doing: a failure, or in step as of now. Returns how it was doing before.

    In step, no failure is told any more; that one is, ``set_failure_told`` writes.
    """
    row = await tx.fetchrow(
        """UPDATE grants SET sync_error = $2,
               synced_at = CASE WHEN $2::jsonb IS NULL THEN now() ELSE grants.synced_at END,
               failure_told = grants.failure_told AND $2::jsonb IS NOT NULL
           FROM (SELECT sync_error, synced_at, failure_told FROM grants WHERE id = $1 FOR UPDATE) before
           WHERE id = $1 RETURNING before.sync_error AS error, before.synced_at AS synced_at, before.failure_told""",
        grant_id, error,
    )  # fmt: skip
    return SyncHealth(**row) if row else SyncHealth(None, None, failure_told=False)


async def set_failure_told(tx: Connection, grant_id: str) -> None:
    """Write that ``sync.failed`` is told in this transaction; see ``SyncHealth.failure_told``."""
    await tx.execute("UPDATE grants SET failure_told = true WHERE id = $1", grant_id)


async def applications_of(db: Database, subjects: list[str]) -> list[str]:
    """The applications that have grants of these subjects, in order."""
    rows = await db.fetch(
        "SELECT DISTINCT application_id FROM grants WHERE subject = ANY ($1) ORDER BY application_id", subjects
    )
    return [row["application_id"] for row in rows]


async def keeping(tx: Connection, application_id: str, subjects: list[str]) -> list[tuple[str, str, Kind, str]]:
    """Subject, id, placement and mail server of each of an application's grants that is not being moved."""
    rows = await tx.fetch(
        """SELECT g.subject, g.id, g.environment, lower(g.settings -> 'imap' ->> 'host') AS server
           FROM grants g WHERE g.application_id = $1 AND g.subject = ANY ($2)
             AND NOT EXISTS (SELECT FROM moves m WHERE m.grant_id = g.id AND m.ended_at IS NULL AND NOT m.dry_run)
           ORDER BY g.created_at, g.id""",
        application_id, subjects,
    )  # fmt: skip
    return [(row["subject"], row["id"], Kind(row["environment"]), row["server"]) for row in rows]


async def seen(db: Database, grant_id: str) -> ServerSeen | None:
    """The mail server as the last session that synchronised found it; None when there has been none."""
    row = await db.fetchrow(
        "SELECT remote, certificate_key, capabilities, uid_validity FROM servers_seen WHERE grant_id = $1", grant_id
    )
    return (
        ServerSeen(row["remote"], row["certificate_key"], tuple(row["capabilities"]), row["uid_validity"])
        if row
        else None
    )


async def clear_landmarks(tx: Connection, grant_id: str) -> None:
    """Forget where the folders ended: the first copy is whole, and what comes from now on is news anyway."""
    await tx.execute("UPDATE grants SET landmarks = NULL WHERE id = $1 AND landmarks IS NOT NULL", grant_id)


async def set_seen(tx: Connection, grant_id: str, server: ServerSeen) -> None:
    """Keep how the mail server looks."""
    await tx.execute(
        """INSERT INTO servers_seen (grant_id, remote, certificate_key, capabilities, uid_validity)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (grant_id) DO UPDATE SET remote = excluded.remote, certificate_key = excluded.certificate_key,
               capabilities = excluded.capabilities, uid_validity = excluded.uid_validity, seen_at = now()""",
        grant_id, server.remote, server.certificate_key, list(server.capabilities), server.uid_validity,
    )  # fmt: skip


async def by_token(db: Database, token_hash: bytes) -> Grant | None:
    row = await db.fetchrow(f"{_SELECT} WHERE g.id = (SELECT grant_id FROM access_tokens WHERE hash = $1)", token_hash)
    return _grant(row) if row else None


async def set_metadata(db: Database, grant_id: str, metadata: dict[str, str]) -> None:
    """Write the developer's own words about the grant."""
    await db.execute("UPDATE grants SET metadata = $2 WHERE id = $1", grant_id, metadata)


async def all_sealed(db: Database, after: str, limit: int) -> list[tuple[str, bytes, bytes]]:
    """Grants with what is sealed of them, by id, for sealing anew."""
    rows = await db.fetch(
        "SELECT id, credentials, data_key FROM grants WHERE id > $1 ORDER BY id LIMIT $2", after, limit
    )
    return [(row["id"], row["credentials"], row["data_key"]) for row in rows]


async def replace_sealed(db: Database, grant_id: str, old: tuple[bytes, bytes], new: tuple[bytes, bytes]) -> None:
    """Put what was sealed anew in its place, except what somebody has written meanwhile."""
    await db.execute(
        """UPDATE grants SET credentials = CASE WHEN credentials = $2 THEN $4 ELSE credentials END,
                             data_key = CASE WHEN data_key = $3 THEN $5 ELSE data_key END WHERE id = $1""",
        grant_id, *old, *new,
    )  # fmt: skip
