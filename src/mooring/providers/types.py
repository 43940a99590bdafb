"""The words of detection: what is proposed for an address, and how it came to be known."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from mooring.net import TlsMode


class Provider(StrEnum):
    """Whose account it is, as the API names it; whatever has servers of its own is ``imap`` or ``ews``."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    YAHOO = "yahoo"
    ICLOUD = "icloud"
    EWS = "ews"
    IMAP = "imap"


class Service(StrEnum):
    """What a server is for."""

    IMAP = "imap"
    SMTP = "smtp"
    CALDAV = "caldav"
    EWS = "ews"


class Origin(StrEnum):
    """How a server came to be proposed, what is believed most in front."""

    #: the table of providers has the domain
    TABLE = "table"
    #: the domain's SRV records (RFC 6186, 8314, 6764)
    SRV = "srv"
    #: the domain's own autoconfig file
    AUTOCONFIG = "autoconfig"
    #: the file that the operator's ISPDB has for the domain
    ISPDB = "ispdb"
    #: the domain's ``.well-known/caldav``
    WELL_KNOWN = "well-known"
    #: what answers the domain's Autodiscover asks for an Exchange login
    AUTODISCOVER = "autodiscover"
    #: the domain's mail goes to a provider of the table
    MX = "mx"
    #: a name that mail servers often have
    GUESS = "guess"


class Username(StrEnum):
    """What a user logs in with."""

    EMAIL = "email"
    LOCAL_PART = "local_part"
    #: a name of its own, which only the user knows
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A server that an account may have. It is a proposal: it is judged, like any, when it is dialled.

    Attributes:
        tls: when TLS begins; calendars are always asked by https.
        path: of CalDAV, where discovery starts.
        confidence: 0 to 1.
        is_silent: a guess: the name exists, and nobody answered there, as behind a filter.
    """

    service: Service
    host: str
    port: int
    origin: Origin
    confidence: float
    tls: TlsMode = TlsMode.IMPLICIT
    username: Username = Username.EMAIL
    path: str = ""
    is_silent: bool = False

    @property
    def url(self) -> str:
        """Of CalDAV, the address that discovery starts at."""
        port = "" if self.port == 443 else f":{self.port}"
        return f"https://{self.host}{port}{self.path or '/'}"

    def login_of(self, email: str) -> str:
        """The user name of this address; "" where only the user knows."""
        match self.username:
            case Username.EMAIL:
                return email
            case Username.LOCAL_PART:
                return email.rpartition("@")[0]
            case Username.OTHER:
                return ""


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found out about an address.

    Attributes:
        provider: None: nobody can say.
        type: the provider's own name, such as ``gmx``; "" where it is none that we know.
        servers: for each service the best one in front.
        notes: what was looked at and could not be used, as sentences.
    """

    email: str
    provider: Provider | None
    type: str = ""
    servers: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()

    def server(self, service: Service) -> Proposal | None:
        """The best server for this service."""
        return next((proposal for proposal in self.servers if proposal.service is service), None)

    def settings(self) -> dict[str, str | int]:
        """The servers as ``settings`` of an account to connect, without passwords."""
        found: dict[str, str | int] = {"email": self.email} if self.servers else {}
        for service in (Service.IMAP, Service.SMTP):
            if proposal := self.server(service):
                found |= {
                    f"{service}_host": proposal.host,
                    f"{service}_port": proposal.port,
                    f"{service}_tls": str(proposal.tls),
                }
                found |= _login(service, proposal, self.email)
        if calendar := self.server(Service.CALDAV):
            found |= {"caldav_url": calendar.url, **_login(Service.CALDAV, calendar, self.email)}
        return found

    def of(self, email: str) -> Self:
        """The same for another address of the domain."""
        return replace(self, email=email)


def _login(service: Service, proposal: Proposal, email: str) -> dict[str, str | int]:
    name = proposal.login_of(email)
    return {f"{service}_username": name} if name else {}
