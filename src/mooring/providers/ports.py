"""Which ports a server can be proposed on."""

from mooring.providers.types import Service

FIRST_FREE = 1024
"""From here on anybody may run a mail server; below, every port has a meaning, and most are not mail's."""

_USUAL = {
    Service.IMAP: frozenset({143, 993}),
    Service.SMTP: frozenset({25, 465, 587}),
    Service.CALDAV: frozenset({443}),
    Service.EWS: frozenset({443}),
}


def is_sensible(service: Service, port: int) -> bool:
    """Whether this service may be at this port: a proposal for SSH's, say, is somebody's wish that we knock there."""
    return port in _USUAL[service] or FIRST_FREE <= port <= 65535
