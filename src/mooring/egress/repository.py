"""The exits' tables: the ledger, a partition a day; which source a subject keeps; who divides the berths."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from mooring.config import SourceConfig
from mooring.egress.types import Intent, LedgerEntry, Settlement, Traffic
from mooring.store import Connection, Database, in_batches

_ENTRY = ", ".join(f.name for f in fields(LedgerEntry))

_INSERT = """
INSERT INTO ledger (at, id, application_id, subject, grant_id, traffic, environment, source, source_address, via,
                    reason, host, port, remote, outcome, phase, cause, detail, resolve_ms)
SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::int[], $14::text[],
                     $15::text[], $16::text[], $17::text[], $18::text[], $19::real[])
"""

_SETTLE = """
UPDATE ledger l
SET outcome = coalesce(s.outcome, l.outcome), local = coalesce(s.local, l.local), phase = coalesce(s.phase, l.phase),
    cause = coalesce(s.cause, l.cause), detail = coalesce(s.detail, l.detail),
    connect_ms = coalesce(s.connect_ms, l.connect_ms), tls_ms = coalesce(s.tls_ms, l.tls_ms),
    closed_at = coalesce(s.closed_at, l.closed_at)
FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::real[], $9::real[], $10::timestamptz[])
     AS s (at, id, outcome, local, phase, cause, detail, connect_ms, tls_ms, closed_at)
WHERE l.at = s.at AND l.id = s.id
"""

ORDINARY = (Traffic.AUTH, Traffic.LIVE, Traffic.SYNC, Traffic.SEND)
"""What is dialled for an account's own sake."""
_LOOKED_THROUGH = 5_000
"""Rows that a look at ordinary connections reads at most: of one account more than two days of failures."""
_ALIKE = 25
"""Connections that are alike and are kept of such a look; more of them tell no more."""
_LONGEST = timedelta(days=30)
"""How long a session is thought to last at most: the ledger has the time of the dial, and not of the last word."""

_BY_THE_WAY = ("timeout", "unreachable", "refused", "closed")
"""Causes of a failed connect that a way out which is broken has, too."""

_LARGEST_INTEGER = 2**31 - 1
"""Of PostgreSQL's integer. Whatever port a user wrote, its refusal gets into the ledger."""

_PARTITIONS_LOCK = 7_210_031
"""Two processes never make, fill or drop partitions at once: a key of pg_advisory_xact_lock that nobody else uses."""


async def insert_intents(db: Database, intents: Sequence[Intent]) -> None:
    """Write these intents, in one commit."""
    rows = [_intent_row(intent) for intent in intents]
    await db.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))


def _intent_row(i: Intent) -> tuple[Any, ...]:
    d, s = i.dial, i.source
    return (
        i.at, i.id, d.caller.application_id, d.caller.subject, d.caller.grant_id, str(d.traffic), str(d.environment),
        s.name if s else "", str(s.address) if s else "", str(s.via) if s else "", _text(i.reason),
        _text(d.host)[:255], min(max(d.port, 0), _LARGEST_INTEGER), i.remote, str(i.outcome), i.phase, i.cause,
        _text(i.detail), i.resolve_ms,
    )  # fmt: skip


def _text(told: str) -> str:
    """What somebody said, as text that PostgreSQL takes: it has no U+0000, and no half of a surrogate pair."""
    return told.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


async def settle(db: Database, settlements: Sequence[Settlement]) -> None:
    """Write what became of these intents, in one commit; later settlements stand over earlier ones."""
    merged: dict[Any, dict[str, Any]] = {}
    for settlement in settlements:
        known = merged.setdefault(settlement.id, {})
        known.update({f.name: v for f in fields(settlement) if (v := getattr(settlement, f.name)) is not None})
    names = [f.name for f in fields(Settlement)]
    order = ["at", "id", *(n for n in names if n not in {"at", "id"})]
    for row in merged.values():
        row["detail"] = None if row.get("detail") is None else _text(row["detail"])
    rows = [tuple(row.get(name) for name in order) for row in merged.values()]
    await db.execute(_SETTLE, *(list(column) for column in zip(*rows, strict=True)))


async def entries(
    db: Database,
    *,
    application_id: str | None = None,
    subject: str | None = None,
    server: str | None = None,
    source: str | None = None,
    traffic: Traffic | None = None,
    since: datetime | None = None,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[LedgerEntry]:
    """The newest entries first; None asks for any.

    Args:
        server: a host name, or a resolved address.
        source: one of our addresses, or a source's name.
        before: (at, id) of the last entry of the page before.
    """
    rows = await db.fetch(
        f"""
        SELECT {_ENTRY} FROM ledger
        WHERE ($1::text IS NULL OR application_id = $1) AND ($2::text IS NULL OR subject = $2)
          AND ($3::text IS NULL OR host = $3 OR remote = $3)
          AND ($4::text IS NULL OR source_address = $4 OR source = $4)
          AND ($5::timestamptz IS NULL OR at >= $5)
          AND ($6::timestamptz IS NULL OR (at, id) < ($6, $7::uuid))
          AND ($9::text IS NULL OR traffic = $9)
        ORDER BY at DESC, id DESC LIMIT $8
        """,
        application_id, subject, server, source, since, *(before or (None, None)), limit, traffic,
    )  # fmt: skip
    return [_entry(row) for row in rows]


async def ordinary(
    db: Database, application_id: str, subject: str | None, hosts: Sequence[str], since: datetime
) -> list[LedgerEntry]:
    """What became of an application's ordinary connections with these hosts, the oldest first.

    Of those that are alike (class, source, port, how it ended) the newest, and the first; not those that are only
    intended. A session that was open since then counts, whenever it was dialled.

    Args:
        subject: None for those of all its accounts.
    """
    rows = await db.fetch(
        f"""WITH newest AS (
                SELECT {_ENTRY} FROM ledger
                WHERE application_id = $1 AND ($2::text IS NULL OR subject = $2) AND host = ANY ($3)
                  AND at >= $4::timestamptz - $8::interval
                  AND (at >= $4 OR outcome = 'opened' AND (closed_at IS NULL OR closed_at >= $4))
                  AND traffic = ANY ($5) AND outcome <> 'intended'
                ORDER BY at DESC LIMIT $6)
            SELECT {_ENTRY} FROM (
                SELECT *, row_number() OVER (alike ORDER BY at DESC) AS number, row_number() OVER (alike ORDER BY at)
                       AS age
                FROM newest WINDOW alike AS (PARTITION BY traffic, environment, source, port, outcome, phase, cause)
                ) numbered
            WHERE number <= $7 OR age = 1 ORDER BY at, id""",
        application_id, subject, list(hosts), since, list(ORDINARY), _LOOKED_THROUGH, _ALIKE, _LONGEST,
    )  # fmt: skip
    return [_entry(row) for row in rows]


async def opened_from(
    db: Database, source: SourceConfig, *, besides: Sequence[str], since: datetime, until: datetime | None = None
) -> datetime | None:
    """When a source last opened a connection with any other host than these, in that time."""
    return await db.fetchval(
        """SELECT at FROM ledger
           WHERE source_address = $1 AND source = $2 AND local <> '' AND host <> ALL ($3::text[]) AND at >= $4
             AND ($5::timestamptz IS NULL OR at <= $5)
           ORDER BY at DESC LIMIT 1""",
        str(source.address), source.name, list(besides), since, until,
    )  # fmt: skip


async def unanswered_from(
    db: Database, source: SourceConfig, *, besides: Sequence[str], since: datetime, known: timedelta
) -> tuple[int, int]:
    """With how many other hosts a source could not open a connection since then, and how many of these it had opened
    one with in so long a time before. The newest 1,000 failures are looked at.
    """
    row = await db.fetchrow(
        """WITH tried AS (
               SELECT DISTINCT host FROM (
                   SELECT host FROM ledger
                   WHERE source_address = $1 AND source = $2 AND host <> ALL ($3::text[]) AND at >= $4
                     AND outcome = 'failed' AND phase = 'connect' AND cause = ANY ($5)
                   ORDER BY at DESC LIMIT 1000) failed)
           SELECT count(*) AS silent, count(*) FILTER (WHERE EXISTS (
               SELECT FROM ledger l
               WHERE l.host = tried.host AND l.source_address = $1 AND l.source = $2 AND l.local <> ''
                 AND l.at >= $4::timestamptz - $6::interval AND l.at < $4)) AS lost
           FROM tried""",
        str(source.address), source.name, list(besides), since, list(_BY_THE_WAY), known,
    )  # fmt: skip
    return (row["silent"], row["lost"]) if row is not None else (0, 0)


async def last_opened(
    db: Database, hosts: Sequence[str], *, application_id: str | None, since: timedelta
) -> list[LedgerEntry]:
    """Of each source the latest connection to each of these hosts and ports that was opened, but for probes.

    Args:
        application_id: None for any.
    """
    rows = await db.fetch(
        f"""SELECT DISTINCT ON (host, port, environment, source) {_ENTRY} FROM ledger
            WHERE host = ANY ($1) AND ($2::text IS NULL OR application_id = $2) AND at > now() - $3::interval
              AND outcome = 'opened' AND traffic <> 'probe'
            ORDER BY host, port, environment, source, at DESC""",
        list(hosts), application_id, since,
    )  # fmt: skip
    return [_entry(row) for row in rows]


def _entry(row: Any) -> LedgerEntry:
    values: dict[str, Any] = dict(row)
    values["id"] = str(values["id"])
    return LedgerEntry(**values)


async def assigned_source(db: Database, subject: str, environment: str, family: int) -> str | None:
    """The name of the source that this subject keeps in this environment, if one was assigned."""
    return await db.fetchval(
        "SELECT source FROM assignments WHERE subject = $1 AND environment = $2 AND family = $3",
        subject, environment, family,
    )  # fmt: skip


async def assigned_sources(db: Database, subjects: Sequence[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The names of the sources that these subjects keep, by subject and environment; IPv4's first."""
    rows = await db.fetch(
        """SELECT subject, environment, array_agg(source ORDER BY family) AS sources FROM assignments
           WHERE subject = ANY ($1) GROUP BY subject, environment""",
        list(subjects),
    )
    return {(row["subject"], row["environment"]): tuple(row["sources"]) for row in rows}


async def assign_source(db: Database, subject: str, environment: str, family: int, source: str) -> None:
    """Keep this source for the subject from now on."""
    await db.execute(
        """INSERT INTO assignments (subject, environment, family, source) VALUES ($1, $2, $3, $4)
           ON CONFLICT (subject, environment, family) DO UPDATE SET source = excluded.source, assigned_at = now()
           WHERE assignments.source <> excluded.source""",
        subject, environment, family, source,
    )  # fmt: skip


async def keep_source(tx: Connection, subject: str, environment: str, family: int, source: str) -> None:
    """As ``assign_source``, in the transaction in which the subject leaves another one."""
    await tx.execute(
        """UPDATE assignments SET source = $4, assigned_at = now()
           WHERE subject = $1 AND environment = $2 AND family = $3""",
        subject, environment, family, source,
    )  # fmt: skip


async def return_source(tx: Connection, subject: str, *, left: str, taken: str) -> None:
    """Have the subject keep the source again that it left, instead of the one that it took."""
    await tx.execute(
        "UPDATE assignments SET source = $2, assigned_at = now() WHERE subject = $1 AND source = $3",
        subject,
        left,
        taken,
    )


async def leave_source(tx: Connection, subjects: Sequence[str], source: str) -> None:
    """Have these subjects keep this source no longer; their next dials choose others."""
    await tx.execute("DELETE FROM assignments WHERE subject = ANY ($1) AND source = $2", list(subjects), source)


async def draining(db: Database) -> frozenset[str]:
    """The sources that nobody is newly placed on."""
    return frozenset(row["source"] for row in await db.fetch("SELECT source FROM draining"))


async def set_draining(tx: Connection, source: str, by: str | None) -> None:
    """Have nobody newly placed on this source; None: have it used again."""
    if by is None:
        await tx.execute("DELETE FROM draining WHERE source = $1", source)
    else:
        await tx.execute("INSERT INTO draining (source, by) VALUES ($1, $2) ON CONFLICT DO NOTHING", source, by)


async def depending_on(db: Database | Connection, source: str) -> list[tuple[str, str]]:
    """Who keeps this source: subject and environment of each."""
    rows = await db.fetch(
        "SELECT subject, environment FROM assignments WHERE source = $1 AND released_at IS NULL ORDER BY subject",
        source,
    )
    return [(row["subject"], row["environment"]) for row in rows]


async def release_sources(tx: Connection, subject: str) -> None:
    """Say that nobody uses the subject's sources for now; it finds them again if it comes back in time."""
    await tx.execute("UPDATE assignments SET released_at = now() WHERE subject = $1", subject)


async def resume_sources(tx: Connection, subject: str) -> None:
    """Say that the subject's sources, if it had any, are used again."""
    await tx.execute("UPDATE assignments SET released_at = NULL WHERE subject = $1", subject)


async def forget_sources(db: Database, *, kept: timedelta) -> None:
    """Delete the assignments that nobody has used for this long."""
    await in_batches(
        db,
        """WITH gone AS MATERIALIZED (
               SELECT subject, environment, family FROM assignments
               WHERE released_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM assignments a USING gone
           WHERE a.subject = gone.subject AND a.environment = gone.environment AND a.family = gone.family""",
        kept,
    )


async def ensure_partitions(db: Database, today: date, *, days: int) -> list[str]:
    """Make the ledger's partitions for today and the days after, where they are missing; returns their names.

    What the default partition took meanwhile (nobody made that day's in time) moves into its own.
    """
    made: list[str] = []
    async with db.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock($1)", _PARTITIONS_LOCK)
        for offset in range(days):
            day = today + timedelta(days=offset)
            name = f"ledger_{day:%Y%m%d}"
            if await tx.fetchval("SELECT to_regclass($1) IS NULL", name):
                await _add_partition(tx, name, day)
                made.append(name)
    return made


async def _add_partition(tx: Connection, name: str, day: date) -> None:
    start, end = f"{day.isoformat()} 00:00+00", f"{(day + timedelta(days=1)).isoformat()} 00:00+00"
    # Locked against writers for the moment that this takes: PostgreSQL does so anyway when it attaches.
    await tx.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
    await tx.execute(f"CREATE TABLE {name} (LIKE ledger INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    await tx.execute(
        f"""WITH moved AS (DELETE FROM ledger_default WHERE at >= '{start}' AND at < '{end}' RETURNING *)
            INSERT INTO {name} SELECT * FROM moved"""
    )
    await tx.execute(f"ALTER TABLE ledger ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")


async def drop_partitions(db: Database, before: date) -> list[str]:
    """Drop the days that retention no longer keeps; returns their tables' names."""
    async with db.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock($1)", _PARTITIONS_LOCK)
        rows = await tx.fetch(
            """SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = 'ledger'::regclass AND c.relname ~ '^ledger_[0-9]{8}$' AND c.relname < $1
               ORDER BY c.relname""",
            f"ledger_{before:%Y%m%d}",
        )
        names = [str(row["relname"]) for row in rows]
        for name in names:
            await tx.execute(f"DROP TABLE {name}")
        await tx.execute("DELETE FROM ledger_default WHERE at < $1", datetime.combine(before, time(), UTC))
    return names


async def renew_share(
    db: Database,
    process: str,
    part: str,
    environments: list[str] | None,
    counts: Mapping[str, tuple[int, int]],
    lease: timedelta,
) -> None:
    """Say that a process uses berths, for one more lease time; whoever died is forgotten by the way."""
    await db.execute(
        """WITH dead AS (DELETE FROM berth_shares WHERE expires_at < now() - interval '1 hour')
           INSERT INTO berth_shares (process, part, environments, counts, expires_at)
           VALUES ($1, $2, $3, $4, now() + $5)
           ON CONFLICT (process) DO UPDATE SET counts = excluded.counts, expires_at = excluded.expires_at""",
        process, part, environments, counts, lease,
    )  # fmt: skip


async def give_up_share(db: Database, process: str) -> None:
    """Say that a process uses berths no longer."""
    await db.execute("DELETE FROM berth_shares WHERE process = $1", process)


async def shares(db: Database, part: str) -> list[tuple[str, list[str] | None]]:
    """The living processes of a part, and the environments that each leaves by."""
    rows = await db.fetch("SELECT process, environments FROM berth_shares WHERE part = $1 AND expires_at > now()", part)
    return [(row["process"], row["environments"]) for row in rows]


async def berth_counts(db: Database) -> dict[str, tuple[int, int]]:
    """By source: the berths that living processes have taken, and how many more they wait for; seconds old."""
    rows = await db.fetch(
        """SELECT c.key AS source, sum((c.value ->> 0)::int)::int AS taken, sum((c.value ->> 1)::int)::int AS waiting
           FROM berth_shares, jsonb_each(counts) c WHERE expires_at > now() GROUP BY c.key""",
    )
    return {row["source"]: (row["taken"], row["waiting"]) for row in rows}
