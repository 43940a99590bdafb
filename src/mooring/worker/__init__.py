"""The worker's process: it holds mailboxes of its environments, files sent copies, and keeps the ledger's days.

The work itself is in ``sync`` and ``send``. Start at ``process.py``, which is all there is.
"""

from mooring.worker.process import work

__all__ = ["work"]
