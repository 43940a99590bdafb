"""The address lists as they are published.

It decides nothing about dialling: it shows the pools that do. Start at ``service.py``.
"""

from mooring.allowlist.service import Allowlist
from mooring.allowlist.types import AddressList, Entry

__all__ = ["AddressList", "Allowlist", "Entry"]
