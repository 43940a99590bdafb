"""The tables of the stored copy: ``writing`` is the synchronisation's half, ``listing`` and ``threads`` the API's."""

from mooring.mail.repository import listing, threads, writing

__all__ = ["listing", "threads", "writing"]
