"""Diagnoses and what is told of them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from mooring.diagnosis.asking.records import Claim, Diagnosis, State, Told
from mooring.diagnosis.progress import Concluded
from mooring.diagnosis.types import Evidence, Question
from mooring.diagnosis.verdict.types import Verdict
from mooring.store import Connection, Database, in_batches

KEPT = timedelta(days=30)
"""How long a diagnosis can be read."""
RUNS = 3
"""Times that one is begun: what has ended so many processes would end the next one as well."""
WAITED = timedelta(minutes=15)
"""How long one waits for a process that can answer it, such as for a region that none serves."""

_SHORT = """id, coalesce(application_id, '') AS application_id, coalesce(grant_id, '') AS grant_id, by, state, question,
verdict, error, run, created_at, started_at, ended_at"""


async def insert(
    db: Database,
    diagnosis_id: str,
    *,
    by: str,
    scope: str,
    question: Question,
    sealed: bytes | None,
    holder: str | None = None,
) -> None:
    """Write a new diagnosis down.

    Args:
        holder: who carries it out already; None: whoever comes first.
    """
    await db.execute(
        """INSERT INTO diagnoses (id, application_id, grant_id, by, scope, question, secrets, holder)
           VALUES ($1, nullif($2, ''), nullif($3, ''), $4, $5, $6, $7, $8)""",
        diagnosis_id, question.application_id, question.grant_id, by, scope, question, sealed, holder,
    )  # fmt: skip


async def insert_concluded(
    tx: Connection, diagnosis_id: str, *, by: str, scope: str, evidence: Evidence, verdict: Verdict
) -> None:
    """Write a diagnosis down that has ended already; who follows it is told the verdict."""
    question = evidence.question
    await tx.execute(
        """INSERT INTO diagnoses (id, application_id, grant_id, by, scope, question, state, verdict, evidence, told,
                                  started_at, ended_at)
           VALUES ($1, nullif($2, ''), nullif($3, ''), $4, $5, $6, $7, $8, $9, 1, now(), clock_timestamp())""",
        diagnosis_id, question.application_id, question.grant_id, by, scope, question, State.DONE, verdict, evidence,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO diagnosis_progress (diagnosis_id, number, data) VALUES ($1, 1, $2)",
        diagnosis_id, msgspec.to_builtins(Concluded(verdict)),
    )  # fmt: skip


async def get(db: Database, diagnosis_id: str) -> Diagnosis | None:
    """One diagnosis, whole."""
    row = await db.fetchrow(f"SELECT {_SHORT}, evidence FROM diagnoses WHERE id = $1", diagnosis_id)
    return _diagnosis(row) if row is not None else None


async def state_of(db: Database, diagnosis_id: str) -> tuple[State, int] | None:
    """How far it is, and the number of what was told last."""
    row = await db.fetchrow("SELECT state, told FROM diagnoses WHERE id = $1", diagnosis_id)
    return (State(row["state"]), row["told"]) if row is not None else None


async def newest(
    db: Database,
    application_id: str | None,
    *,
    grant_id: str | None = None,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[Diagnosis]:
    """The newest first, without their evidence.

    Args:
        application_id: None for all.
        before: (created_at, id) of the last one of the page before.
    """
    rows = await db.fetch(
        f"""SELECT {_SHORT}, NULL AS evidence FROM diagnoses
            WHERE ($1::text IS NULL OR application_id = $1) AND ($2::text IS NULL OR grant_id = $2)
              AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::text))
            ORDER BY created_at DESC, id DESC LIMIT $5""",
        application_id, grant_id, *(before or (None, None)), limit,
    )  # fmt: skip
    return [_diagnosis(row) for row in rows]


_FREE = """state IN ('queued', 'running') AND scope = ANY ($2) AND run < $4 AND id <> ALL ($5)
    AND (holder IS NULL OR NOT EXISTS (SELECT FROM holders h WHERE h.id = d.holder AND h.expires_at > now()))"""


async def claim(
    db: Database, holder: str, scopes: Sequence[str], limit: int, *, but: Collection[str] = ()
) -> list[Claim]:
    """Take some that nobody carries out, or whose holder has died; each begins, or begins anew.

    Applications by turns, and of each the oldest: who asks two hundred things at once holds up nobody else.

    Args:
        but: those that the holder is carrying out: one who was too slow to say that he lives goes on, unless another
            has taken over.
    """
    async with db.transaction() as tx:
        return await _take(
            tx,
            f"""SELECT id FROM diagnoses d WHERE {_FREE} AND id IN (
                   SELECT id FROM (
                       SELECT id, created_at, row_number() OVER (PARTITION BY application_id ORDER BY created_at, id)
                              + (SELECT count(*) FROM diagnoses r
                                 WHERE r.application_id = d.application_id AND r.state = 'running') AS turn
                       FROM diagnoses d WHERE {_FREE}) waiting
                   ORDER BY turn, created_at, id LIMIT $3)
               FOR UPDATE SKIP LOCKED""",
            holder, list(scopes), limit, RUNS, list(but),
        )  # fmt: skip


async def begin(db: Database, holder: str, diagnosis_id: str) -> Claim | None:
    """Take this one, which was written down for this holder; None when it is gone."""
    async with db.transaction() as tx:
        taken = await _take(
            tx,
            "SELECT id FROM diagnoses WHERE id = $2 AND holder = $1 AND state = 'queued' FOR UPDATE",
            holder, diagnosis_id,
        )  # fmt: skip
    return taken[0] if taken else None


async def _take(tx: Connection, which: str, holder: str, *args: object) -> list[Claim]:
    rows = await tx.fetch(
        f"""WITH free AS MATERIALIZED ({which})
            UPDATE diagnoses d SET holder = $1, state = 'running', run = run + 1, told = told + 1, started_at = now()
            FROM free WHERE d.id = free.id
            RETURNING d.id, d.run, d.told, d.question, d.secrets, d.created_at""",
        holder, *args,
    )  # fmt: skip
    ids = [row["id"] for row in rows]
    # What an earlier run told is no longer so.
    await tx.execute("DELETE FROM diagnosis_progress WHERE diagnosis_id = ANY ($1)", ids)
    await tx.executemany(
        "INSERT INTO diagnosis_progress (diagnosis_id, number, data) VALUES ($1, $2, $3)",
        [(row["id"], row["told"], {"kind": "started", "run": row["run"]}) for row in rows],
    )
    rows.sort(key=lambda row: (row["created_at"], row["id"]))
    return [Claim(r["id"], r["run"], msgspec.convert(r["question"], Question), r["secrets"]) for r in rows]


async def tell(db: Database, claim: Claim, told: Sequence[dict[str, Any]]) -> bool:
    """Add to what is told; False when somebody else has begun it anew."""
    async with db.transaction() as tx:
        return await _tell(tx, claim, told)


async def conclude(
    db: Database,
    claim: Claim,
    told: Sequence[dict[str, Any]],
    *,
    evidence: Evidence | None = None,
    verdict: Verdict | None = None,
    error: dict[str, Any] | None = None,
) -> bool:
    """End it, with a verdict or with the error that keeps it from one; False when somebody else has begun it anew.

    The passwords that were given for it are erased.
    """
    async with db.transaction() as tx:
        if not await _tell(tx, claim, told):
            return False
        await tx.execute(
            """UPDATE diagnoses SET state = $2, question = coalesce($3, question), evidence = $4, verdict = $5,
                   error = $6, secrets = NULL, holder = NULL, ended_at = now() WHERE id = $1""",
            claim.id, State.FAILED if verdict is None else State.DONE,
            evidence.question if evidence is not None else None, evidence, verdict, error,
        )  # fmt: skip
    return True


async def _tell(tx: Connection, claim: Claim, told: Sequence[dict[str, Any]]) -> bool:
    last = await tx.fetchval(
        "UPDATE diagnoses SET told = told + $3 WHERE id = $1 AND run = $2 AND state = 'running' RETURNING told",
        claim.id, claim.run, len(told),
    )  # fmt: skip
    if last is None:
        return False
    await tx.execute(
        """INSERT INTO diagnosis_progress (diagnosis_id, number, data)
           SELECT $1, $2 + t.number, t.data FROM unnest($3::jsonb[]) WITH ORDINALITY AS t (data, number)""",
        claim.id, last - len(told), list(told),
    )  # fmt: skip
    return True


async def give_back(db: Database, holder: str) -> None:
    """Leave what this holder carries out to others, at once."""
    await db.execute(
        "UPDATE diagnoses SET holder = NULL, state = 'queued' WHERE holder = $1 AND state IN ('queued', 'running')",
        holder,
    )


async def told_after(db: Database, diagnosis_id: str, number: int, *, limit: int) -> list[Told]:
    """What was told behind this number, in order."""
    rows = await db.fetch(
        "SELECT number, data FROM diagnosis_progress WHERE diagnosis_id = $1 AND number > $2 ORDER BY number LIMIT $3",
        diagnosis_id, number, limit,
    )  # fmt: skip
    return [Told(row["number"], row["data"]["kind"], row["data"]) for row in rows]


async def forget_diagnoses(db: Database) -> int:
    """End those that nobody will, and delete those that are older than ``KEPT``; returns how many were deleted.

    The passwords of what has ended are erased.
    """
    await db.execute(
        """UPDATE diagnoses d SET state = 'failed', secrets = NULL, holder = NULL, ended_at = now(), error = $3
           WHERE state IN ('queued', 'running') AND (run >= $1 OR created_at < now() - $2::interval)
             AND (holder IS NULL OR NOT EXISTS
                  (SELECT FROM holders h WHERE h.id = d.holder AND h.expires_at > now()))""",
        RUNS, WAITED, {"type": "not_carried_out", "message": "No process could carry it out. Ask again."},
    )  # fmt: skip
    return await in_batches(
        db,
        """WITH old AS MATERIALIZED (
               SELECT id FROM diagnoses WHERE created_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)
           DELETE FROM diagnoses d USING old WHERE d.id = old.id""",
        KEPT,
        batch=100,
    )


def _diagnosis(row: Any) -> Diagnosis:
    fields = dict(row)
    fields["state"] = State(row["state"])
    fields["question"] = msgspec.convert(row["question"], Question)
    fields["verdict"] = msgspec.convert(row["verdict"], Verdict | None)
    fields["evidence"] = msgspec.convert(row["evidence"], Evidence | None)
    return Diagnosis(**fields)
