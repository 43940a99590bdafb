"""The tables of the stored calendars. What writes runs in a transaction that its caller has fenced."""

from collections.abc import Iterable, Sequence
from typing import Any

from mooring.calendars.series import Series
from mooring.calendars.types import Calendar
from mooring.store import Connection, Database, Record

_CALENDAR = """
grant_id, id, url, name, description, timezone, hex_color, read_only, is_primary, ctag, sync_token, fetched_at,
synced_at, error
"""
_SERIES = "id, href, etag, uid, first_start, last_end, recurring, body"
_COLUMNS = (
    "grant_id", "calendar_id", "id", "href", "etag", "uid", "first_start", "last_end", "recurring", "body",
)  # fmt: skip


async def calendars(db: Database, grant_id: str) -> list[Calendar]:
    """Every calendar of the grant, the primary one first."""
    rows = await db.fetch(
        f"SELECT {_CALENDAR} FROM calendars WHERE grant_id = $1 ORDER BY is_primary DESC, name, id", grant_id
    )
    return [Calendar(**dict(row)) for row in rows]


async def upsert_calendar(tx: Connection, calendar: Calendar) -> None:
    """Write what the server says of a calendar; how far it has been read stays as it was."""
    await tx.execute(
        """INSERT INTO calendars (grant_id, id, url, name, description, timezone, hex_color, read_only, is_primary)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (grant_id, id) DO UPDATE SET name = excluded.name, description = excluded.description,
               timezone = excluded.timezone, hex_color = excluded.hex_color, read_only = excluded.read_only,
               is_primary = excluded.is_primary""",
        calendar.grant_id, calendar.id, calendar.url, calendar.name, calendar.description, calendar.timezone,
        calendar.hex_color, calendar.read_only, calendar.is_primary,
    )  # fmt: skip


async def delete_calendars(tx: Connection, grant_id: str, ids: Sequence[str]) -> None:
    """Forget calendars that the server no longer has, and everything in them."""
    await tx.execute("DELETE FROM calendar_objects WHERE grant_id = $1 AND calendar_id = ANY ($2)", grant_id, ids)
    await tx.execute("DELETE FROM calendars WHERE grant_id = $1 AND id = ANY ($2)", grant_id, ids)


async def mark_calendar(
    tx: Connection, calendar: Calendar, *, ctag: str, sync_token: str, error: dict[str, Any] | None
) -> None:
    """Write that the calendar has been read to its end, and what stands for the state it had then."""
    await tx.execute(
        """UPDATE calendars SET fetched_at = coalesce(fetched_at, now()), synced_at = now(), ctag = $3,
               sync_token = $4, error = $5
           WHERE grant_id = $1 AND id = $2""",
        calendar.grant_id, calendar.id, ctag, sync_token, error,
    )  # fmt: skip


async def fail_calendars(tx: Connection, grant_id: str, calendar: str | None, error: dict[str, Any]) -> None:
    """Write why this calendar (None: every one) cannot be read just now."""
    await tx.execute(
        "UPDATE calendars SET error = $3 WHERE grant_id = $1 AND ($2::text IS NULL OR id = $2)",
        grant_id, calendar, error,
    )  # fmt: skip


async def etags(db: Database, calendar: Calendar) -> dict[str, str]:
    """The etag of every stored object, by its URL."""
    rows = await db.fetch(
        "SELECT DISTINCT href, etag FROM calendar_objects WHERE grant_id = $1 AND calendar_id = $2",
        calendar.grant_id, calendar.id,
    )  # fmt: skip
    return {row["href"]: row["etag"] for row in rows}


async def remove_objects(tx: Connection, calendar: Calendar, hrefs: Iterable[str]) -> dict[str, str]:
    """Forget these objects; returns the etags that their series had, by the series' ids."""
    rows = await tx.fetch(
        """DELETE FROM calendar_objects WHERE grant_id = $1 AND calendar_id = $2 AND href = ANY ($3)
           RETURNING id, etag""",
        calendar.grant_id, calendar.id, list(hrefs),
    )  # fmt: skip
    return {row["id"]: row["etag"] for row in rows}


async def insert_series(tx: Connection, calendar: Calendar, sealed: Sequence[tuple[Series, bytes]]) -> None:
    """Write the series of objects that are not stored, each with its sealed body."""
    await tx.copy_records_to_table(
        "calendar_objects",
        columns=_COLUMNS,
        records=[
            (
                calendar.grant_id, calendar.id, s.id, s.href, s.etag, s.uid, s.first_start, s.last_end, s.is_recurring,
                body,
            )
            for s, body in sealed
        ],
    )  # fmt: skip


async def series(db: Database, calendar: Calendar, series_id: str) -> Record | None:
    """The row of one series."""
    return await db.fetchrow(
        f"SELECT {_SERIES} FROM calendar_objects WHERE grant_id = $1 AND calendar_id = $2 AND id = $3",
        calendar.grant_id, calendar.id, series_id,
    )  # fmt: skip


async def singles(
    db: Database, calendar: Calendar, since: int, until: int, uid: str | None, after: tuple[int, str], limit: int
) -> list[Record]:
    """What happens once and touches [since, until), in order, behind (start, id)."""
    return await db.fetch(
        f"""SELECT {_SERIES} FROM calendar_objects
            WHERE grant_id = $1 AND calendar_id = $2 AND NOT recurring AND ($5::text IS NULL OR uid = $5)
              AND first_start < $4 AND (last_end > $3 OR first_start >= $3)
              AND (first_start, id COLLATE "C") > ($6, $7)
            ORDER BY first_start, id COLLATE "C" LIMIT $8""",
        calendar.grant_id, calendar.id, since, until, uid, *after, limit,
    )  # fmt: skip


async def recurring(db: Database, calendar: Calendar, since: int, until: int, uid: str | None) -> list[Record]:
    """What recurs and may touch [since, until)."""
    return await db.fetch(
        f"""SELECT {_SERIES} FROM calendar_objects
            WHERE grant_id = $1 AND calendar_id = $2 AND recurring AND ($5::text IS NULL OR uid = $5)
              AND first_start < $4 AND (last_end IS NULL OR last_end > $3 OR first_start >= $3)""",
        calendar.grant_id, calendar.id, since, until, uid,
    )  # fmt: skip
