"""The words of a diagnosis: what is asked, what a probe is, what it observes, what is concluded."""

from datetime import datetime
from enum import StrEnum
from typing import Self

import msgspec

from mooring.grants import TlsMode


class Service(StrEnum):
    """What a server is asked to do for an account."""

    IMAP = "imap"
    SMTP = "smtp"
    CALDAV = "caldav"


class Stage(StrEnum):
    """How far a probe comes. With STARTTLS, ``tls`` comes after ``capability``; else before ``greeting``."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    #: the server's first words; of CalDAV the answer to OPTIONS
    GREETING = "greeting"
    #: CAPABILITY, EHLO; of CalDAV a PROPFIND without credentials
    CAPABILITY = "capability"
    LOGIN = "login"
    #: IMAP: folders are listed, the inbox is opened
    LIST = "list"
    #: SMTP: MAIL FROM and RCPT TO the account itself, taken back by RSET: where most servers apply their access rules
    RECIPIENT = "recipient"
    #: CalDAV: the calendars are found, with credentials
    CALENDAR = "calendar"


class Outcome(StrEnum):
    """How a probe ended: one class for each thing that can be told apart from outside (facts/egress 5.2, 5.3)."""

    #: came as far as it was meant to
    REACHED = "reached"

    #: nobody answered the SYN
    SILENT = "silent"
    #: a TCP reset answered the SYN, and no ICMP: the host's own stack, or a firewall that plays it
    RESET = "reset"
    #: an ICMP message that says "prohibited" answered it (type 3 code 9, 10, 13; ICMPv6 type 1 code 1, 5, 6)
    PROHIBITED = "prohibited"
    #: an ICMP port-unreachable answered it: a firewall's REJECT, since a stack answers TCP by a reset
    REJECTED = "rejected"
    #: another ICMP message, or errno, said that there is no way
    UNREACHABLE = "unreachable"
    #: accepted, and closed before the first word
    CLOSED = "closed"
    #: accepted, and then silence instead of the first word
    MUTE = "mute"
    #: the server's words refuse us for who we are: an access rule, without a block list in it
    POLICY = "policy"
    #: the server's words name a block list
    LISTED = "listed"
    #: the server's words say too many, too fast, or banned for now
    LIMITED = "limited"

    #: what answers on an implicit-TLS port speaks in clear; ``spoken`` says what
    NOT_TLS = "not_tls"
    #: what answers in clear offers no STARTTLS, or waits for a TLS handshake
    NO_STARTTLS = "no_starttls"
    #: what answers speaks another protocol than the one asked for; ``spoken`` says which
    OTHER_PROTOCOL = "other_protocol"
    #: TLS works and the certificate does not verify
    CERTIFICATE = "certificate"
    #: the peer ended the handshake with an alert
    ALERT = "alert"

    #: these credentials are refused
    CREDENTIALS = "credentials"
    #: the credentials were good, and a later step failed
    FAILED = "failed"
    #: the connection broke, or fell silent, after the greeting
    BROKEN = "broken"

    #: our own exit could not be used; nothing was sent to the server
    OURS = "ours"
    #: not sampled: the budget, or the number of connections, does not allow it now
    SPARED = "spared"


class Vantage(StrEnum):
    """Whose addresses a probe leaves from, seen from the application that asks."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    #: the static list of the other API generation, same region
    OTHER_GENERATION = "other_generation"
    #: the static list of another region, same generation
    OTHER_REGION = "other_region"
    #: the dynamic addresses of another region: they tell a block by country from an allowlist of the wrong region
    OTHER_REGION_DYNAMIC = "other_region_dynamic"


class Depth(StrEnum):
    """How far a probe goes."""

    #: past the greeting and what the server offers; nothing of a user is shown
    GREETING = "greeting"
    #: with credentials: logged in, and to the last stage of the service
    FULL = "full"


class Target(msgspec.Struct, frozen=True):
    """One service of the server that is asked about.

    Attributes:
        host: a name or an address, in its canonical spelling (punycode, small letters).
        tls: None: by the port, and found out where the port does not say.
        username: "" where no credentials are given.
        path: of CalDAV, where discovery starts; "" for the well-known place.
        is_usual_port: nobody named the port, so another usual one of the service is as good an answer.
        is_confirmed: somebody named the host, or it is of the address's own domain, or a known provider's: else no
            password is shown to it, since names that DNS alone leads to are anybody's.
        is_found: nobody named the host; it was found by the e-mail address.
    """

    service: Service
    host: str
    port: int
    tls: TlsMode | None = None
    username: str = ""
    path: str = ""
    is_usual_port: bool = False
    is_confirmed: bool = True
    is_found: bool = False


class Question(msgspec.Struct, frozen=True):
    """What is asked: the services of one account or host, on behalf of one application.

    Attributes:
        application_id: "" when an operator asks.
        subject: the account's identity for the dialer; a random word where there is no account.
        grant_id: "" without a grant.
        email: the address that was asked about, or "": the sender and recipient of the SMTP stage.
        targets: one for each service that is asked for.
        with_credentials: whether passwords were given, or are the grant's.
        passive: it is answered from what happened anyway; nothing is dialled for it.
    """

    application_id: str
    generation: str
    region: str
    subject: str
    targets: tuple[Target, ...]
    email: str = ""
    grant_id: str = ""
    with_credentials: bool = False
    passive: bool = False


class Secrets(msgspec.Struct, frozen=True):
    """The passwords by service; sealed wherever they are stored, and without a repr."""

    passwords: dict[Service, str] = {}

    def __repr__(self) -> str:
        return "Secrets(…)"


class Exit(msgspec.Struct, frozen=True):
    """A source that probes can leave by.

    Attributes:
        environment: such as ``v3-us-static``.
        source: its name in the configuration.
        address: what the far side sees, and what is published.
    """

    vantage: Vantage
    environment: str
    source: str
    address: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


class Probe(msgspec.Struct, frozen=True):
    """One pair of source and server address, through one protocol.

    Attributes:
        id: counts within its diagnosis.
        address: the server's, one of those that its name led to.
        delay_s: seconds to wait first, so that pairs come in random order, and not all at once.
        is_alternative: it looks whether something answers beside what was asked for: another port, or the other mode.
    """

    id: int
    exit: Exit
    target: Target
    address: str
    depth: Depth = Depth.GREETING
    delay_s: float = 0.0
    is_alternative: bool = False


class Icmp(msgspec.Struct, frozen=True):
    """An ICMP message that answered a SYN, and the host that sent it."""

    type: int
    code: int
    sender: str


class Certificate(msgspec.Struct, frozen=True):
    """What a server showed.

    Attributes:
        names: the host names and addresses it is for.
        spki: SHA-256 of the public key's SubjectPublicKeyInfo, hexadecimal: the same from everywhere, or something is
            in between.
        problem: why it does not verify; "" where it does.
    """

    names: tuple[str, ...]
    issuer: str
    not_after: datetime
    spki: str
    problem: str = ""


class Step(msgspec.Struct, frozen=True):
    """A stage that was passed, and the milliseconds it took."""

    stage: Stage
    ms: float


class Observation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one probe saw. Holds no secret, and nothing of other applications.

    Attributes:
        at: UTC, when it began.
        source, source_address, environment: where it left from; the address is the published one.
        local: our end, address and port, as the kernel had it: what the server's log has. "" before a connection.
        stage: the one that failed; where all went well, the last one.
        said: the peer's words, cleaned and cut.
        spoken: of an unexpected peer: ``imap``, ``smtp``, ``http``, ``pop3``, ``ssh``, ``tls`` or ``unknown``.
        retransmits: SYNs that were sent again.
        connections: how many the probe took: some words of a server only come on a second one.
        tls: how TLS began, as far as it came.
        detail: our own words for what went wrong.
        remembered: it was made a moment ago for somebody else, and not again.
        traffic: of an ordinary connection its class, such as ``sync``; "" of a probe.
    """

    probe: int
    at: datetime
    vantage: Vantage
    environment: str
    source: str
    source_address: str
    service: Service
    host: str
    port: int
    address: str
    outcome: Outcome
    stage: Stage
    depth: Depth = Depth.GREETING
    steps: tuple[Step, ...] = ()
    elapsed_ms: float = 0.0
    local: str = ""
    tls: TlsMode | None = None
    said: str = ""
    spoken: str = ""
    detail: str = ""
    icmp: Icmp | None = None
    retransmits: int = 0
    connections: int = 1
    rtt_ms: float | None = None
    certificate: Certificate | None = None
    offers: tuple[str, ...] = ()
    is_alternative: bool = False
    remembered: bool = False
    traffic: str = ""

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4

    @property
    def passed(self) -> tuple[Stage, ...]:
        """The stages that went well."""
        return tuple(step.stage for step in self.steps)


class Lookup(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host's name led to.

    Attributes:
        addresses: those that may be dialled, in the resolver's order.
        problem: "" · ``no_such_name`` · ``resolver`` (theirs, no answer) · ``busy`` (ours) · ``private``
            (not to be dialled) · ``mixed`` (one of several is not) · ``crowd`` (more addresses than any server's).
    """

    host: str
    addresses: tuple[str, ...] = ()
    problem: str = ""
    detail: str = ""


class Control(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a source works at all, in one address family, whatever the server does.

    Attributes:
        works: None: nobody can say.
        how: ``target`` (a control target was asked just now) · ``ledger`` (it opened a connection elsewhere a moment
            ago) · ``exit`` (it cannot even be tried) · "" (nothing to ask).
    """

    source: str
    source_address: str
    family: int
    works: bool | None
    how: str = ""
    target: str = ""
    detail: str = ""


class Earlier(msgspec.Struct, frozen=True):
    """What the ledger and the stored facts tell from before: a connection of ours to this server that was opened.

    Attributes:
        vantage: which of ours it left from.
    """

    at: datetime
    vantage: Vantage
    source: str
    service: Service
    host: str
    port: int


class Account(msgspec.Struct, frozen=True):
    """What a grant tells: it exists, so an authentication has succeeded (S15).

    Attributes:
        authenticated_at: when it was made.
        placement: ``dynamic`` or ``static``: where reading and sending leave from.
        is_valid: whether its password is accepted, as far as is known.
        synced_at: when its mail was last in step; None: never.
        is_in_step: whether nothing keeps it from being so now.
    """

    authenticated_at: datetime
    placement: str
    is_valid: bool
    synced_at: datetime | None
    is_in_step: bool


class Evidence(msgspec.Struct, frozen=True):
    """All that a verdict is made from.

    Attributes:
        account: of a passive diagnosis, what the grant itself tells.
    """

    question: Question
    exits: tuple[Exit, ...]
    lookups: tuple[Lookup, ...] = ()
    observations: tuple[Observation, ...] = ()
    controls: tuple[Control, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    ended_at: datetime | None = None
    account: Account | None = None

    def with_more(
        self,
        *,
        lookups: tuple[Lookup, ...] = (),
        observations: tuple[Observation, ...] = (),
        controls: tuple[Control, ...] = (),
    ) -> Self:
        """The same, and this."""
        return msgspec.structs.replace(
            self,
            lookups=self.lookups + lookups,
            observations=self.observations + observations,
            controls=self.controls + controls,
        )
