"""The nouns of the exits: traffic class, dial, route, ledger entry."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from mooring.config import EnvironmentName, IPAddress, SourceConfig


class Traffic(StrEnum):
    """Why a connection is made; with the placement it decides the environment (spec §4)."""

    AUTH = "auth"
    LIVE = "live"
    SYNC = "sync"
    SEND = "send"
    PROBE = "probe"
    DISCOVERY = "discovery"
    WEBHOOK = "webhook"


class Outcome(StrEnum):
    """What became of a dial."""

    #: the intent is written; nothing more is known (the process may have died since)
    INTENDED = "intended"
    #: connected
    OPENED = "opened"
    #: dialled, and the way or the server failed
    FAILED = "failed"
    #: nothing was sent to the target: our exit failed, or the target is not allowed
    NOT_DIALLED = "not_dialled"


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a connection is made.

    Attributes:
        subject: the identity (application, e-mail, mail domain) as one word. It exists before the grant
            does, so that the dial that authenticates it leaves by the source that the grant then keeps.
        grant_id: "" as long as there is no grant.
    """

    application_id: str
    subject: str
    grant_id: str = ""


@dataclass(frozen=True, slots=True)
class Dial:
    """A connection that somebody wants.

    Attributes:
        host: as the user wrote it: a name, or an address in any spelling that the resolver takes.
        tls: TLS from the first byte; STARTTLS is the protocol's own business, on the open stream.
        remote: the one of the name's addresses that is dialled, as long as it is one of them.
        leaves: the source that the account is about to leave: it is another one that is chosen, and not yet kept.
    """

    traffic: Traffic
    environment: EnvironmentName
    caller: Caller
    host: str
    port: int
    tls: bool
    remote: str = ""
    leaves: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """The decision for one dial: which source, to which resolved address, and why."""

    source: SourceConfig
    remote: IPAddress
    reason: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step of a dial may take, in seconds.

    Attributes:
        connect_s: for each address of a server: enough for several SYNs, which Linux sends a second apart at first
            (tcp_syn_linear_timeouts), so that one lost packet is not a verdict.
        total_s: for connecting to all addresses of a server together; what makes an answer within 30 s (spec §6.8).
        proxy_s: for an operator's proxy to accept us and to answer for itself; past that it is the proxy that is ill.
    """

    resolve_s: float = 5.0
    connect_s: float = 8.0
    total_s: float = 16.0
    tls_s: float = 8.0
    proxy_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Intent:
    """What the ledger is told before anything is dialled."""

    id: UUID
    at: datetime
    dial: Dial
    source: SourceConfig | None
    remote: str
    reason: str
    outcome: Outcome = Outcome.INTENDED
    phase: str = ""
    cause: str = ""
    detail: str = ""
    resolve_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the ledger is told afterwards about an intent; None leaves a column as it is."""

    id: UUID
    at: datetime
    outcome: Outcome | None = None
    local: str | None = None
    phase: str | None = None
    cause: str | None = None
    detail: str | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger, as it is shown."""

    id: str
    at: datetime
    application_id: str
    grant_id: str
    traffic: str
    environment: str
    source: str
    source_address: str
    via: str
    reason: str
    host: str
    port: int
    remote: str
    local: str
    outcome: str
    phase: str
    cause: str
    detail: str
    resolve_ms: float | None
    connect_ms: float | None
    tls_ms: float | None
    closed_at: datetime | None
