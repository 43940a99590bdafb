"""The exits: which address a connection leaves from, and the proof that it did.

Only this room dials. It knows pools, sources, targets and the ledger; it knows no protocol and no
grant. What it cannot do as meant, it does not do: there is no default source. Start at
``dialer.py``; the choices it makes are in ``routes.py`` and ``targets.py``, without a socket.
"""

from mooring.egress.check import SourceCheck, check_sources
from mooring.egress.dialer import Dialer, DialerPolicy
from mooring.egress.http import http_client
from mooring.egress.ledger import Ledger
from mooring.egress.names import SharedResolver
from mooring.egress.plumbing import (
    arm_tripwire,
    check_kernel,
    check_plumbing,
    database_endpoints,
    host_addresses,
    lacking,
    listener_endpoints,
)
from mooring.egress.repository import assigned_sources, forget_sources, release_sources, resume_sources
from mooring.egress.routes import kind_for
from mooring.egress.stream import DialledStream
from mooring.egress.types import Caller, Dial, LedgerEntry, Outcome, Route, Traffic

__all__ = [
    "Caller",
    "Dial",
    "Dialer",
    "DialerPolicy",
    "DialledStream",
    "Ledger",
    "LedgerEntry",
    "Outcome",
    "Route",
    "SharedResolver",
    "SourceCheck",
    "Traffic",
    "arm_tripwire",
    "assigned_sources",
    "check_kernel",
    "check_plumbing",
    "check_sources",
    "database_endpoints",
    "forget_sources",
    "host_addresses",
    "http_client",
    "kind_for",
    "lacking",
    "listener_endpoints",
    "release_sources",
    "resume_sources",
]
