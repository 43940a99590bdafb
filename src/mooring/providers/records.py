"""What a domain's DNS records propose. Pure; the look-ups are somebody else's."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mooring.errors import InvalidRequest
from mooring.net import TlsMode
from mooring.net.records import MxRecord, SrvRecord
from mooring.providers.address import domain_of
from mooring.providers.ports import is_sensible
from mooring.providers.types import Origin, Proposal, Service

CONFIDENCE = 0.9

LABELS: Mapping[str, tuple[Service, TlsMode]] = {
    "_imaps._tcp": (Service.IMAP, TlsMode.IMPLICIT),
    "_imap._tcp": (Service.IMAP, TlsMode.STARTTLS),
    "_submissions._tcp": (Service.SMTP, TlsMode.IMPLICIT),
    "_submission._tcp": (Service.SMTP, TlsMode.STARTTLS),
    "_caldavs._tcp": (Service.CALDAV, TlsMode.IMPLICIT),
}
"""The names that are looked up below a domain, what is preferred in front (RFC 8314 §3.3, RFC 6186 §3, RFC 6764 §3)."""


class Records(Protocol):
    """Where SRV, MX and CNAME records are looked up; raises NetworkError."""

    async def srv(self, name: str, /) -> list[SrvRecord]: ...
    async def mx(self, name: str, /) -> list[MxRecord]: ...
    async def alias(self, name: str, /) -> str: ...


def proposals(found: Mapping[str, Sequence[SrvRecord]]) -> tuple[Proposal, ...]:
    """The first server of each service that is offered.

    Args:
        found: by the label of ``LABELS``, the records to use first in front.
    """
    chosen: dict[Service, Proposal] = {}
    for label, (service, tls) in LABELS.items():
        for record in found.get(label, ()):
            host = _host(record.target)
            if service not in chosen and host and is_sensible(service, record.port):
                path = "/.well-known/caldav" if service is Service.CALDAV else ""
                chosen[service] = Proposal(service, host, record.port, Origin.SRV, CONFIDENCE, tls, path=path)
    return tuple(chosen.values())


def mail_hosts(found: Sequence[MxRecord]) -> tuple[str, ...]:
    """The hosts that take the domain's mail, the preferred in front."""
    return tuple(dict.fromkeys(host for record in found if (host := _host(record.exchange))))


def _host(target: str) -> str:
    """A host's name; "" for the target that says that there is none (RFC 2782), and for what cannot be one."""
    try:
        return domain_of(target) if target else ""
    except InvalidRequest:
        return ""
