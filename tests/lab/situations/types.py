"""The words of the situations: who asks what of which server, what stands in the way, and which verdict is right."""

from dataclasses import dataclass, field
from enum import StrEnum

from tests.lab.situations.rules import Rule
from tests.lab.situations.sources import LISTED, Site


class Imap(StrEnum):
    """What serves a situation's ports 143 and 993."""

    NOTHING = "nothing"
    DOVECOT = "dovecot"
    #: Dovecot asks tcp_wrappers about each client, and closes without a word
    TCP_WRAPPERS = "tcp-wrappers"
    #: HAProxy closes what it has just accepted
    HAPROXY_REJECTS = "haproxy-rejects"
    #: HAProxy accepts, and says nothing
    HAPROXY_HOLDS = "haproxy-holds"
    #: HAProxy has no server behind it
    HAPROXY_EMPTY = "haproxy-empty"
    #: in place of a greeting ``* BYE``
    BYE = "bye"
    #: 993 speaks in clear, and 143 TLS: the ports mixed up
    SWAPPED = "swapped"
    #: 993 is a web server's
    WEB = "web"
    #: Dovecot and Postfix of its own, with their default delays, and a fail2ban that reads their logs
    GUARDED = "guarded"


class Smtp(StrEnum):
    """What serves a situation's ports 25, 465 and 587."""

    NOTHING = "nothing"
    POSTFIX = "postfix"
    #: Postfix's access table, answered at RCPT (``smtpd_delay_reject``, the default)
    AT_RCPT = "at-rcpt"
    #: the same, in place of a greeting
    AT_GREETING = "at-greeting"
    #: Postfix's words for a block list, in place of a greeting
    LISTED_AT_GREETING = "listed-at-greeting"
    #: Postfix's words for a block list, at RCPT
    LISTED_AT_RCPT = "listed-at-rcpt"
    #: Postfix admits one connection a minute from each address
    RATE_LIMIT = "rate-limit"
    #: 421 in place of a greeting
    BUSY = "busy"
    #: see ``Imap.GUARDED``
    GUARDED = "guarded"


class Dav(StrEnum):
    """What serves a situation's port 443."""

    NOTHING = "nothing"
    RADICALE = "radicale"
    #: nginx in front of Radicale, which refuses by address
    FORBIDDEN = "403"
    UNAUTHORIZED = "401"
    NO_ANSWER = "444"
    #: a plain web server, which knows nothing of calendars
    WEB = "web"


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that is asked for.

    Attributes:
        kind: ``imap``, ``smtp`` or ``caldav``.
        tls: ``implicit``, ``starttls``, or "" where the port says it.
    """

    kind: str
    port: int
    tls: str = ""

    @property
    def is_implicit(self) -> bool:
        """Whether a client begins with TLS."""
        return self.tls == "implicit" or (not self.tls and self.port in {443, 465, 993})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as plain data.

    Attributes:
        site, generation, region: of whose behalf: an application of this generation and region at this site.
        username, password: "" where no credentials are given.
    """

    host: str
    services: tuple[Service, ...]
    username: str = ""
    password: str = field(default="", repr=False)
    site: Site = Site.WHOLE
    generation: str = "v3"
    region: str = "us"

    @property
    def with_credentials(self) -> bool:
        """Whether a user name and a password are given."""
        return bool(self.password)

    def settings(self) -> dict[str, str | int]:
        """The ``settings`` object of the API, passwords included; ``smtp_host`` is "" where no sending is asked for."""
        found: dict[str, str | int] = {"smtp_host": ""}
        for service in self.services:
            if service.kind == "caldav":
                found["caldav_url"] = f"https://{self.host}:{service.port}/"
            else:
                found |= {f"{service.kind}_host": self.host, f"{service.kind}_port": service.port}
                if service.tls:
                    found[f"{service.kind}_tls"] = service.tls
            if self.with_credentials:
                found |= {f"{service.kind}_username": self.username, f"{service.kind}_password": self.password}
        return found


#: In ``Situation.sees``: whatever was asked for went well.
WELL = "well"

IMAP = Service("imap", 993)
SMTP = Service("smtp", 587)
CALDAV = Service("caldav", 443)
MAIL = (IMAP, SMTP)


@dataclass(frozen=True, slots=True)
class Situation:
    """A server, what stands before it, a question, and the right answer.

    Attributes:
        story: one line, as its mail administrator would tell it.
        expected: codes of verdicts that are right, the best one first.
        sees: what plain sockets see (patterns of the words of ``looking.py``) from these addresses of ours: for every
            service that is asked for, or by its kind. It is also the proof that can be asked for.
        rules: the firewall's, by source and port.
        admitted: whom a filter above the firewall (an access table, tcp_wrappers, ``allow_nets``, nginx) lets in.
        families: of the server's addresses: "4", "6" or "46".
        credentials: whether a password is given; ``right_password``: and whether it opens the mailbox.
        elsewhere: the address that the name leads to instead of the situation's own; "-": to none.
        needs_history: the verdict needs connections that were opened before; see ``Situations.ban``.
        flaps_s: the server is up and down by turns, of so many seconds on average; 0: it stays up.
    """

    name: str
    story: str
    expected: tuple[str, ...]
    sees: dict[tuple[str, ...], str | dict[str, str]]
    asks: tuple[Service, ...] = MAIL
    rules: tuple[Rule, ...] = ()
    imap: Imap = Imap.DOVECOT
    smtp: Smtp = Smtp.POSTFIX
    dav: Dav = Dav.NOTHING
    admitted: tuple[str, ...] = LISTED
    allow_nets: bool = False
    families: str = "4"
    credentials: bool = False
    right_password: bool = True
    certificate: str = ""
    elsewhere: str = ""
    site: Site = Site.WHOLE
    region: str = "us"
    needs_history: bool = False
    flaps_s: float = 0.0

    @property
    def host(self) -> str:
        """The server's name; no two situations share a domain."""
        return f"mail.{self.name}.test"

    @property
    def user(self) -> str:
        """The mailbox."""
        return f"ann@{self.name}.test"
