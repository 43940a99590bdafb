"""Real mail and calendar servers behind a real firewall, made by the test session and gone with it.

The session runs inside ``scripts/in-namespace``; there Mooring has a network interface with static, dynamic
and other addresses, the servers live in a network namespace of their own whose nftables decide who may speak
to them, and SOCKS and HTTP proxies live in a third. Nothing here imports Mooring, so that what the servers
say about a connection is evidence and not our own opinion. Start at ``laboratory.py``.
"""

from tests.lab.addresses import (
    DYNAMIC,
    DYNAMIC6,
    OTHER,
    PROXIES,
    SERVER,
    SERVER6,
    SERVER_OTHER,
    SERVER_PUBLIC,
    STATIC,
    STATIC6,
    UNBOUND,
    UNBOUND6,
    UNPLUMBED,
)
from tests.lab.certificates import Authority, Certificate
from tests.lab.dovecot import Dovecot, Login, User
from tests.lab.firewall import Attempt, Firewall, Verdict
from tests.lab.laboratory import Laboratory
from tests.lab.mails import Mail, mails
from tests.lab.namespaces import Names, Network
from tests.lab.postfix import Connection, Postfix
from tests.lab.proxies import Proxy
from tests.lab.radicale import Radicale

__all__ = [
    "DYNAMIC",
    "DYNAMIC6",
    "OTHER",
    "PROXIES",
    "SERVER",
    "SERVER6",
    "SERVER_OTHER",
    "SERVER_PUBLIC",
    "STATIC",
    "STATIC6",
    "UNBOUND",
    "UNBOUND6",
    "UNPLUMBED",
    "Attempt",
    "Authority",
    "Certificate",
    "Connection",
    "Dovecot",
    "Firewall",
    "Laboratory",
    "Login",
    "Mail",
    "Names",
    "Network",
    "Postfix",
    "Proxy",
    "Radicale",
    "User",
    "Verdict",
    "mails",
]
