"""The outbox: facts in the order they happened to a grant, written where they became true."""

from collections.abc import Sequence

from mooring.events.types import Fact
from mooring.store import Connection


async def append(tx: Connection, *, application_id: str, grant_id: str, facts: Sequence[Fact]) -> None:
    """Write these facts in the caller's transaction, numbered without a gap for the grant.

    The grant's counter row is locked until the transaction ends, so numbers are handed out in the order
    in which they become visible, and a fact that was rolled back leaves no hole.
    """
    if not facts:
        return
    last = await tx.fetchval(
        """INSERT INTO outbox_sequences (grant_id, last) VALUES ($1, $2)
           ON CONFLICT (grant_id) DO UPDATE SET last = outbox_sequences.last + excluded.last RETURNING last""",
        grant_id, len(facts),
    )  # fmt: skip
    first = int(last) - len(facts) + 1
    await tx.executemany(
        "INSERT INTO outbox (grant_id, sequence, application_id, type, data) VALUES ($1, $2, $3, $4, $5)",
        [(grant_id, first + i, application_id, str(fact.type), fact.data) for i, fact in enumerate(facts)],
    )
