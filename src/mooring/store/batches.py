"""Many rows, a few at a time: so that whoever needs one of them meanwhile waits for a moment, not for all of it."""

from mooring.store.database import Database

BATCH = 1000
"""Rows of one commit; some tens of milliseconds."""


async def in_batches(db: Database, statement: str, *args: object, batch: int = BATCH) -> int:
    """Run a statement again until it finds no more; returns how many rows it changed in all.

    Args:
        statement: takes as its last parameter how many rows it may change at once. Where it takes them ``FOR UPDATE
            SKIP LOCKED``, any number of processes may run it at the same time.
    """
    total = 0
    while True:
        changed = int((await db.execute(statement, *args, batch)).rpartition(" ")[2])
        total += changed
        if changed < batch:
            return total
