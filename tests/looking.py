"""Having a mailbox looked at now, and what was told of it."""

from datetime import datetime

from tests.running import Running
from tests.waiting import until

POLL_S = 45
"""Seconds in which every folder has been looked at again: the poll's own 30, and the look."""


def look_again(mooring: Running, grant: str) -> None:
    """Return once two passes over all folders have ended: the second of them began after this did."""
    for _ in range(2):
        last = _synced_at(mooring, grant)

        def looked(last: datetime | None = last) -> bool:
            # Without this, the pass would come with the next poll; one that is under way hears nothing.
            mooring.rows("UPDATE leases SET nudges = nudges + 1 WHERE subject = $1", grant)
            return _synced_at(mooring, grant) != last

        until(looked, timeout_s=POLL_S, what="the mailbox is looked at")


def facts(mooring: Running, grant: str) -> set[tuple[str, str]]:
    """Type and subject of every fact in the outbox about the grant's messages and folders."""
    rows = mooring.rows("SELECT type, data ->> 'id' AS id FROM outbox WHERE grant_id = $1", grant)
    return {(row["type"], row["id"]) for row in rows if row["id"] is not None}


def _synced_at(mooring: Running, grant: str) -> datetime | None:
    return mooring.rows("SELECT synced_at FROM grants WHERE id = $1", grant)[0]["synced_at"]
