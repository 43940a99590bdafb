"""The tables of the stored copy: ``writing`` is the synchronisation's half, ``listing`` the API's."""

from mooring.mail.repository import listing, writing

__all__ = ["listing", "writing"]
