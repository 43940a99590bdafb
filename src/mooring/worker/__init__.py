"""The worker's process: it holds mailboxes of its environments, files sent copies, and keeps the house.

The work itself is in ``sync`` and ``send``. Start at ``process.py``; what is taken away in time is in
``housekeeping.py``.
"""

from mooring.worker.process import work

__all__ = ["work"]
