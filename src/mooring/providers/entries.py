"""What is kept of a provider, and the words that the lists of providers are written in."""

from dataclasses import dataclass

from mooring.net import TlsMode
from mooring.providers.types import Origin, Proposal, Provider, Service, Username

CONFIDENCE = {Origin.TABLE: 0.98, Origin.MX: 0.85, Origin.AUTODISCOVER: 0.85}
"""A domain's mail can go to a host of one provider (a filter, say) and lie at another's."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a provider; ``path`` is of CalDAV."""

    service: Service
    host: str
    port: int
    username: Username = Username.EMAIL
    path: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A provider.

    Attributes:
        name: as ``type`` shows it.
        domains: of its users' addresses.
        mx: hosts, or what hosts end with, that take the mail of domains that are not its own.
        note: what keeps people from connecting, whatever the servers are.
        autodiscover: the host that ``autodiscover`` of domains that are not its own is another name of.
    """

    name: str
    servers: tuple[Server, ...] = ()
    domains: frozenset[str] = frozenset()
    mx: tuple[str, ...] = ()
    provider: Provider = Provider.IMAP
    note: str = ""
    autodiscover: str = ""

    def proposals(self, origin: Origin) -> tuple[Proposal, ...]:
        """Its servers as proposals."""
        return tuple(_proposal(server, origin) for server in self.servers)


def imap(host: str, port: int = 993, username: Username = Username.EMAIL) -> Server:
    """An IMAP server."""
    return Server(Service.IMAP, host, port, username)


def smtp(host: str, port: int = 465, username: Username = Username.EMAIL) -> Server:
    """A submission server."""
    return Server(Service.SMTP, host, port, username)


def caldav(host: str, port: int = 443, path: str = "") -> Server:
    """A calendar server."""
    return Server(Service.CALDAV, host, port, path=path)


def _proposal(server: Server, origin: Origin) -> Proposal:
    tls = TlsMode.STARTTLS if server.port in {143, 587} else TlsMode.IMPLICIT
    # The local part alone names nobody where a provider keeps many domains.
    username = server.username if origin is Origin.TABLE else Username.EMAIL
    return Proposal(server.service, server.host, server.port, origin, CONFIDENCE[origin], tls, username, server.path)


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


OAUTH_ONLY = "takes no passwords from mail programs, but OAuth alone, which Mooring does not speak yet"
APP_PASSWORD = "takes an app password, which the user makes in the account's settings, and not the account's own"  # noqa: S105
