"""Providers: from an e-mail address to whose account it is, and to the servers that it may have.

A table of those that are known, and a search for the rest, all of which leaves by the dialer. It knows no grant, shows
nobody a password, and takes nothing that it finds for more than a proposal. Start at ``detection.py``.
"""

from mooring.providers.detection import Detection
from mooring.providers.types import Detected, Origin, Proposal, Provider, Service, Username

__all__ = ["Detected", "Detection", "Origin", "Proposal", "Provider", "Service", "Username"]
