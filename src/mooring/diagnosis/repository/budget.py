"""What probes have cost servers, and what they saw: of all applications and processes together."""

from collections.abc import Sequence

import msgspec

from mooring.diagnosis.gentle.budget import LONGEST_S, REMEMBERED_S, Became, Books, Fact, Key, Spent
from mooring.diagnosis.types import Observation
from mooring.store import Connection, Database, in_batches

_LOCK = 7_210_032
"""The first of two keys of pg_advisory_xact_lock; the second is a hash of a server, or of a login."""

KEPT_S = 3600
"""Seconds for which rows are kept; what counts is younger."""


async def lock(tx: Connection, subjects: Sequence[str]) -> None:
    """Have nobody else decide about these servers and logins until the transaction ends."""
    # Always in the same order, or two would wait for each other.
    await tx.execute(
        """SELECT pg_advisory_xact_lock($1, hash) FROM (
               SELECT DISTINCT hashtext(subject) AS hash FROM unnest($2::text[]) subject ORDER BY hash) sorted""",
        _LOCK, list(subjects),
    )  # fmt: skip


async def books(tx: Connection, servers: Sequence[str], logins: Sequence[bytes]) -> Books:
    """What these servers and logins have been asked, and what was seen."""
    spent = await tx.fetch(
        """SELECT server, source, service, port, host, tls, login, became,
                  extract(epoch FROM clock_timestamp() - at)::float8 AS age_s
           FROM probe_counts
           WHERE (server = ANY ($1) OR login = ANY ($2)) AND at > now() - make_interval(secs => $3)""",
        list(servers), list(logins), LONGEST_S,
    )  # fmt: skip
    facts = await tx.fetch(
        """SELECT server, source, service, port, host, tls, id, observation,
                  extract(epoch FROM clock_timestamp() - at)::float8 AS age_s
           FROM probe_facts WHERE server = ANY ($1) AND at > now() - make_interval(secs => $2) ORDER BY at DESC""",
        list(servers), REMEMBERED_S,
    )  # fmt: skip
    seen: dict[Key, tuple[Fact, ...]] = {}
    for row in facts:
        key = Key(*tuple(row)[:6])
        fact = Fact(row["id"], msgspec.convert(row["observation"], Observation), row["age_s"])
        seen[key] = (*seen.get(key, ()), fact)
    return Books(
        [Spent(Key(*tuple(row)[:6]), row["login"], Became(row["became"]), row["age_s"]) for row in spent], seen
    )


async def spend(tx: Connection, going: Sequence[tuple[Key, bytes | None]]) -> list[int]:
    """Write down that these leave now; returns their ids, in order."""
    rows = await tx.fetch(
        """INSERT INTO probe_counts (server, source, service, port, host, tls, login, at)
           SELECT server, source, service, port, host, tls, login, clock_timestamp()
           FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::bytea[])
                WITH ORDINALITY AS t (server, source, service, port, host, tls, login, number)
           ORDER BY number RETURNING id""",
        [k.server for k, _ in going], [k.source for k, _ in going], [k.service for k, _ in going],
        [k.port for k, _ in going], [k.host for k, _ in going], [k.tls for k, _ in going],
        [login for _, login in going],
    )  # fmt: skip
    return sorted(row["id"] for row in rows)


async def settle(
    db: Database,
    key: Key,
    spent_id: int,
    became: Became | None,
    fact: Observation | None,
    *,
    more: int = 0,
    more_became: Became = Became.ACCEPTED,
) -> None:
    """Write down what became of one that left (None: nothing did leave), and what it saw.

    Args:
        more, more_became: further connections that it took, and what each of them counts as.
    """
    async with db.transaction() as tx:
        if became is None:
            await tx.execute("DELETE FROM probe_counts WHERE server = $1 AND id = $2", key.server, spent_id)
        else:
            await tx.execute(
                "UPDATE probe_counts SET became = $3 WHERE server = $1 AND id = $2", key.server, spent_id, became
            )
        if more > 0 and became is not None:
            await tx.execute(
                """INSERT INTO probe_counts (server, source, service, port, host, tls, became, at)
                   SELECT $1, $2, $3, $4, $5, $6, $7, clock_timestamp() FROM generate_series(1, $8)""",
                key.server, key.source, key.service, key.port, key.host, key.tls, more_became, more,
            )  # fmt: skip
        if fact is not None:
            await tx.execute(
                """INSERT INTO probe_facts (server, source, service, port, host, tls, id, observation, at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())""",
                key.server, key.source, key.service, key.port, key.host, key.tls, spent_id, fact,
            )  # fmt: skip


async def forget_probes(db: Database) -> None:
    """Delete what counts no longer."""
    await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT server, id FROM probe_counts WHERE at < now() - make_interval(secs => $1)
               LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM probe_counts c USING old WHERE c.server = old.server AND c.id = old.id""",
        KEPT_S,
    )
    await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT ctid FROM probe_facts WHERE at < now() - make_interval(secs => $1)
               LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM probe_facts f USING old WHERE f.ctid = old.ctid""",
        KEPT_S,
    )
