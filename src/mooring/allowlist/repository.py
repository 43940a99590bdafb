"""The history of published lists."""

from collections.abc import Sequence
from datetime import datetime

from mooring.store import Connection


async def publish(tx: Connection, environment: str, addresses: Sequence[str]) -> tuple[int, datetime]:
    """Version and time of the list with these addresses, which is a new version if the last one differs."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", environment)
    last = await tx.fetchrow(
        """SELECT version, addresses, published_at FROM address_lists WHERE environment = $1
           ORDER BY version DESC LIMIT 1""",
        environment,
    )
    if last is not None and list(last["addresses"]) == list(addresses):
        return last["version"], last["published_at"]
    row = await tx.fetchrow(
        """INSERT INTO address_lists (environment, version, addresses) VALUES ($1, $2, $3)
           RETURNING version, published_at""",
        environment, (last["version"] if last else 0) + 1, list(addresses),
    )  # fmt: skip
    assert row is not None
    return row["version"], row["published_at"]
