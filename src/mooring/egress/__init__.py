"""The exits: which address a connection leaves from, and the proof that it did.

Only this room dials. It knows pools, sources, targets and the ledger; it knows no protocol and no
grant. What it cannot do as meant, it does not do: there is no default source. Start at
``dialer.py``; the choices it makes are in ``routes.py`` and ``targets.py``, without a socket.
"""

from mooring.egress.berths import Berth, Berths
from mooring.egress.check import SourceCheck, check_sources
from mooring.egress.dialer import Dialer, DialerPolicy
from mooring.egress.errors import CrowdedName, MixedName
from mooring.egress.guard import Guard, GuardMode, GuardState, Leak, Opening, read_opening, ruleset, table_of
from mooring.egress.http import OpenStream, http_client, http_over
from mooring.egress.ledger import Ledger
from mooring.egress.names import SharedResolver
from mooring.egress.nftables import Nft
from mooring.egress.plumbing import (
    arm_tripwire,
    check_kernel,
    check_plumbing,
    database_endpoints,
    guard_of,
    host_addresses,
    lacking,
    listener_endpoints,
)
from mooring.egress.repository import (
    assigned_sources,
    berth_counts,
    depending_on,
    forget_sources,
    keep_source,
    last_opened,
    leave_source,
    release_sources,
    resume_sources,
    return_source,
    set_draining,
)
from mooring.egress.routes import kind_for
from mooring.egress.shares import Part, Shares, part_of
from mooring.egress.stream import DialledStream
from mooring.egress.targets import Judgement, judge
from mooring.egress.types import Caller, Dial, LedgerEntry, Outcome, Route, Traffic
from mooring.egress.watch import GuardFile, known_state, watch

__all__ = [
    "Berth",
    "Berths",
    "Caller",
    "CrowdedName",
    "Dial",
    "Dialer",
    "DialerPolicy",
    "DialledStream",
    "Guard",
    "GuardFile",
    "GuardMode",
    "GuardState",
    "Judgement",
    "Leak",
    "Ledger",
    "LedgerEntry",
    "MixedName",
    "Nft",
    "OpenStream",
    "Opening",
    "Outcome",
    "Part",
    "Route",
    "SharedResolver",
    "Shares",
    "SourceCheck",
    "Traffic",
    "arm_tripwire",
    "assigned_sources",
    "berth_counts",
    "check_kernel",
    "check_plumbing",
    "check_sources",
    "database_endpoints",
    "depending_on",
    "forget_sources",
    "guard_of",
    "host_addresses",
    "http_client",
    "http_over",
    "judge",
    "keep_source",
    "kind_for",
    "known_state",
    "lacking",
    "last_opened",
    "leave_source",
    "listener_endpoints",
    "part_of",
    "read_opening",
    "release_sources",
    "resume_sources",
    "return_source",
    "ruleset",
    "set_draining",
    "table_of",
    "watch",
]
