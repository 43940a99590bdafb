"""What can go wrong, and on whose side.

    MooringError(message, hint)
    ├ ConfigError                      the operator's configuration; names file, line and remedy
    ├ NetworkError(phase, reason)      their network or server; phases are never merged
    │  ├ NameNotFound · ResolverTimeout                        phase resolve
    │  ├ ConnectTimeout · ConnectionRefused · HostUnreachable  phase connect
    │  ├ TLSFailed                                             phase tls
    │  ├ ReadTimeout · ConnectionLost                          phase read
    │  └ WriteTimeout                                          phase write
    ├ EgressError                      our own exit, never the server's fault
    │  ├ NoSource                      unknown pool, empty pool, wrong address family
    │  ├ SourceUnavailable             address not on this host, proxy unreachable, unhealthy
    │  ├ ProxyRefused                  the proxy answered, and said no
    │  ├ ResolverBusy                  no thread was free to look a name up
    │  ├ SourceBusy                    as many connections as may be are open from the source to the server
    │  └ LedgerUnavailable             no ledger, no dial
    ├ TargetNotAllowed                 the address that a name led to is one we never dial
    ├ ProtocolError                    the peer broke its protocol, or refused within it
    │  ├ RemoteProtocolError           bytes that no reading of the standard allows
    │  └ ServerRefused(reply, code)    a well-formed no, in the server's own words
    │     └ AuthenticationFailed
    ├ ProviderFailure                  what a door reports of the above: stage, reason, server, source
    ├ InvalidRequest · NotFound · Forbidden · Conflict · Unauthorized
    └ LostOwnership                    a stale holder tried to write; the database refused

A test keeps this picture and the classes equal. Leaves that only one room raises live in that
room's ``errors.py``. Nothing here knows HTTP: statuses are decided in one table, ``api/http.py``.
"""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where in a connection's life a network failure happened."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class IcmpMessage:
    """An ICMP (or ICMPv6) message that answered a SYN, and the host that sent it."""

    type: int
    code: int
    sender: str

    def __str__(self) -> str:
        return f"ICMP{'v6' if ':' in self.sender else ''} {self.type}/{self.code} from {self.sender}"


class MooringError(Exception):
    """Something that Mooring can explain: what happened, and what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(MooringError):
    """The configuration cannot be used as it stands."""


class NetworkError(MooringError):
    """The way to the server, or the server itself, failed in one named phase.

    Attributes:
        phase: where it happened; subclasses fix it.
        reason: one word for machines (``timeout``, ``refused``, ``certificate``, …).
        detail: what the operating system or the TLS library said, shortened.
        route: how it was dialled (an ``egress.Route``), where it came to that.
        icmp: what answered the SYN instead of the server, where something did.
        retransmits: SYNs that were sent again.
        local: the address and port that the SYNs left from, as far as the kernel told; "" otherwise.
    """

    phase: Phase = Phase.CONNECT
    reason: str = "failed"

    def __init__(self, message: str, *, reason: str = "", detail: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason or type(self).reason
        self.detail = detail
        self.route: object | None = None
        self.icmp: IcmpMessage | None = None
        self.retransmits = 0
        self.local = ""


class NameNotFound(NetworkError):
    """The name has no address."""

    phase = Phase.RESOLVE
    reason = "name_not_found"


class ResolverTimeout(NetworkError):
    """The name server gave no answer in time."""

    phase = Phase.RESOLVE
    reason = "timeout"


class ConnectTimeout(NetworkError):
    """Nobody answered the SYN: what an address filter that drops looks like."""

    phase = Phase.CONNECT
    reason = "timeout"


class ConnectionRefused(NetworkError):
    """A reset, or an ICMP port-unreachable, answered the SYN."""

    phase = Phase.CONNECT
    reason = "refused"


class HostUnreachable(NetworkError):
    """A router said that there is no way, or that the way is prohibited."""

    phase = Phase.CONNECT
    reason = "unreachable"


class TLSFailed(NetworkError):
    """The TLS handshake failed; ``reason`` tells certificate, protocol and silence apart.

    Attributes:
        certificate: the one that does not verify, in DER; b"" where it is not that, or cannot be had.
        heard: the first bytes of a peer that does not speak TLS.
    """

    phase = Phase.TLS
    reason = "tls"

    def __init__(self, message: str, *, reason: str = "", detail: str = "", hint: str = "") -> None:
        super().__init__(message, reason=reason, detail=detail, hint=hint)
        self.certificate = b""
        self.heard = b""


class ReadTimeout(NetworkError):
    """The peer stayed silent for longer than this step allows."""

    phase = Phase.READ
    reason = "timeout"


class ConnectionLost(NetworkError):
    """The peer closed or reset a connection that was in use."""

    phase = Phase.READ
    reason = "closed"


class WriteTimeout(NetworkError):
    """The peer took no bytes for longer than this step allows."""

    phase = Phase.WRITE
    reason = "timeout"


class EgressError(MooringError):
    """Our own exit could not be used; nothing was dialled, and no server is to blame.

    Attributes:
        reason: one word for machines (``unknown_pool``, ``empty_pool``, ``unplumbed``, …).
    """

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class NoSource(EgressError):
    """No source may carry this dial: the pool is unknown or empty, or has no such address family."""


class SourceUnavailable(EgressError):
    """The source exists, but cannot be used now: not on this host, or its proxy is down."""


class ProxyRefused(EgressError):
    """The source's proxy answered and refused to carry the connection."""


class ResolverBusy(EgressError):
    """Too many look-ups were under way, so the name was not looked up in time; its name server is not to blame."""


class SourceBusy(EgressError):
    """As many connections as may be are open from the source to the server, and none ended in time."""


class LedgerUnavailable(EgressError):
    """The intent could not be written down, so nothing was dialled."""


class TargetNotAllowed(MooringError):
    """The target is an address, or a port, that Mooring does not dial; nothing was dialled."""


class ProtocolError(MooringError):
    """The peer spoke, and what it said stops us."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that its protocol does not allow."""


class ServerRefused(ProtocolError):
    """A well-formed refusal.

    Attributes:
        reply: the server's own words, whole, as text.
        code: its machine-readable code, if it gave one (``AUTHENTICATIONFAILED``, ``5.7.1``, ``403``).
        permanent: whether trying again unchanged is pointless.
    """

    def __init__(self, message: str, *, reply: str, code: str = "", permanent: bool = True, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reply = reply
        self.code = code
        self.permanent = permanent


class AuthenticationFailed(ServerRefused):
    """The server refused the credentials."""


class ProviderFailure(MooringError):
    """A mail or calendar server could not be used, told the way every door reports it (spec §6.8).

    Attributes:
        stage: ``resolve``, ``connect``, ``tls``, ``greeting``, ``login``, ``list``, ``fetch``, ``send``, ``calendar``.
        reason: one word for machines.
        host, port: the server that was asked.
        source: the address that we left from, or "" when none was chosen.
        environment: ``dynamic`` or ``static``.
        server_said: its own words, cut and cleaned; never ours.
        traffic: the traffic class of the dial (``auth``, ``live``, ``send``, …).
        refused: the server answered and said no (a wrong password), rather than being out of reach.
    """

    def __init__(
        self,
        message: str,
        *,
        stage: str,
        reason: str,
        host: str,
        port: int,
        source: str,
        environment: str,
        traffic: str,
        server_said: str = "",
        refused: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.stage = stage
        self.reason = reason
        self.host = host
        self.port = port
        self.source = source
        self.environment = environment
        self.traffic = traffic
        self.server_said = server_said
        self.refused = refused


class InvalidRequest(MooringError):
    """The caller asked for something that cannot be asked for."""


class Unauthorized(MooringError):
    """The caller did not say who it is, or nobody is known by that secret."""


class Forbidden(MooringError):
    """The caller is known, and may not do this."""


class NotFound(MooringError):
    """There is no such thing, or not for this caller."""


class Conflict(MooringError):
    """The state of things does not allow it, or somebody else is doing it right now."""


class LostOwnership(MooringError):
    """A holder whose lease has moved on tried to write; nothing was written."""
