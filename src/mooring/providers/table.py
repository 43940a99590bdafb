"""The table of providers that are known: by an address's domain, by the hosts that take its mail, by an IMAP server.

A domain that is in it is asked nothing; one that is not is looked for.
"""

from collections.abc import Iterable

from mooring.providers.entries import Known
from mooring.providers.hosting import HOSTING
from mooring.providers.mailboxes import MAILBOXES
from mooring.providers.types import Service

_ALL = (*MAILBOXES, *HOSTING)
_BY_DOMAIN = {domain: known for known in _ALL for domain in known.domains}
_BY_SERVER = {
    server.host: known for known in reversed(_ALL) for server in known.servers if server.service is Service.IMAP
}


def by_domain(domain: str) -> Known | None:
    """The provider whose users have addresses of this domain."""
    return _BY_DOMAIN.get(domain)


def by_mx(hosts: Iterable[str]) -> Known | None:
    """The provider that takes a domain's mail at these hosts; the first that is known decides."""
    return next((known for host in hosts if (known := _mx_owner(host)) is not None), None)


def by_autodiscover(host: str) -> Known | None:
    """The provider that a domain leads its Autodiscover to, which it does though its mail may pass a filter first."""
    return next((known for known in _ALL if host and known.autodiscover == host), None)


def by_server(host: str) -> Known | None:
    """The provider that has this IMAP server."""
    return _BY_SERVER.get(host)


def _mx_owner(host: str) -> Known | None:
    for known in _ALL:
        for end in known.mx:
            if host == end.removeprefix(".") or (end.startswith(".") and host.endswith(end)):
                return known
    return None
