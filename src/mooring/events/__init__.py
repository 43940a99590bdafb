"""Facts that happened, appended in the transaction that makes them true.

It delivers nothing and knows no grant. Start at ``repository.py``: ``append`` is the whole of it.
"""

from mooring.events.repository import append
from mooring.events.types import EventType, Fact

__all__ = ["EventType", "Fact", "append"]
