"""Facts that happened, appended in the transaction that makes them true, and read in their order.

It delivers nothing and knows no grant. Start at ``repository.py``: ``append`` is how a fact comes to be,
``read`` how it is found again.
"""

from mooring.events.repository import CHANNEL, KEPT, announced, append, forget_facts, read, read_one, read_since
from mooring.events.types import EventType, Fact, Recorded

__all__ = [
    "CHANNEL",
    "KEPT",
    "EventType",
    "Fact",
    "Recorded",
    "announced",
    "append",
    "forget_facts",
    "read",
    "read_one",
    "read_since",
]
