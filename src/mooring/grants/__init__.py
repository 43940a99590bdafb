"""Grants: connected accounts, their identity, credentials and placement.

It verifies servers, seals what is secret, and opens sessions for those above; it parses no protocol
and stores no mail. A grant is a grant everywhere inside; only the v2 API calls it an account. Start
at ``service.py``; how a connection is accounted for is in ``ways.py`` and ``attempt.py``.
"""

from mooring.grants.attempt import Attempt
from mooring.grants.draining import Draining, Leaving
from mooring.grants.errors import Stopped, TooEarly
from mooring.grants.feature import Feature
from mooring.grants.handover import Handover
from mooring.grants.keys import Keys
from mooring.grants.placement import MovePolicy, Placements
from mooring.grants.repository import (
    GrantQuery,
    Tally,
    by_ids,
    clear_landmarks,
    seen,
    set_failure_told,
    set_seen,
    set_status,
    set_sync_health,
)
from mooring.grants.seen import ServerSeen, look, source_of
from mooring.grants.service import Grants
from mooring.grants.sessions import CLIENT_ID, GREETING_S, LOGIN_S, Sessions, attempt_at, ehlo_name, mode_of
from mooring.grants.settings import (
    CALDAV_PORT,
    IMAP_PORT,
    SMTP_PORT,
    SomeSettings,
    as_request,
    mail_domain,
    parse_email,
    parse_host,
    parse_settings,
    parse_some,
    settings_as_api,
    subject_of,
)
from mooring.grants.tokens import Tokens, forget_codes
from mooring.grants.types import (
    CalendarServer,
    ConnectRequest,
    Credentials,
    Grant,
    GrantStatus,
    Server,
    Settings,
    TlsMode,
    require_running,
)
from mooring.grants.verify import calendar_attempt, verify_caldav, verify_smtp
from mooring.grants.ways import Way, way_of, way_to_authenticate
from mooring.grants.words import SERVER_SAID_MAX, cleaned

__all__ = [
    "CALDAV_PORT",
    "CLIENT_ID",
    "GREETING_S",
    "IMAP_PORT",
    "LOGIN_S",
    "SERVER_SAID_MAX",
    "SMTP_PORT",
    "Attempt",
    "CalendarServer",
    "ConnectRequest",
    "Credentials",
    "Draining",
    "Feature",
    "Grant",
    "GrantQuery",
    "GrantStatus",
    "Grants",
    "Handover",
    "Keys",
    "Leaving",
    "MovePolicy",
    "Placements",
    "Server",
    "ServerSeen",
    "Sessions",
    "Settings",
    "SomeSettings",
    "Stopped",
    "Tally",
    "TlsMode",
    "Tokens",
    "TooEarly",
    "Way",
    "as_request",
    "attempt_at",
    "by_ids",
    "calendar_attempt",
    "cleaned",
    "clear_landmarks",
    "ehlo_name",
    "forget_codes",
    "look",
    "mail_domain",
    "mode_of",
    "parse_email",
    "parse_host",
    "parse_settings",
    "parse_some",
    "require_running",
    "seen",
    "set_failure_told",
    "set_seen",
    "set_status",
    "set_sync_health",
    "settings_as_api",
    "source_of",
    "subject_of",
    "verify_caldav",
    "verify_smtp",
    "way_of",
    "way_to_authenticate",
]
