"""Durable work: who owns what, in Postgres, by its clock.

It knows nothing of the work itself. Start at ``leases.py``.
"""

from mooring.jobs.keeper import DEFECT_S, Held, Keeper
from mooring.jobs.leases import Holder, Lease, LeaseKind, fence, fenced, take
from mooring.jobs.repository import forget_dead, hold, nudge, offer, withdraw

__all__ = [
    "DEFECT_S",
    "Held",
    "Holder",
    "Keeper",
    "Lease",
    "LeaseKind",
    "fence",
    "fenced",
    "forget_dead",
    "hold",
    "nudge",
    "offer",
    "take",
    "withdraw",
]
