"""One piece of work with one server: whatever fails in it is told with its stage, server and source."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mooring.config import Generation, Kind
from mooring.egress import Berth, Route, Traffic
from mooring.errors import (
    AuthenticationFailed,
    NetworkError,
    Phase,
    ProtocolError,
    ProviderFailure,
    ServerRefused,
)
from mooring.grants.ways import Way
from mooring.grants.words import SERVER_SAID_MAX, cleaned

MESSAGE_MAX = 400
"""Characters of our own sentence, which quotes them."""

_OWN_STAGES = frozenset({Phase.RESOLVE, Phase.CONNECT, Phase.TLS})
"""Phases that are stages by themselves; a failed read or write is a failure of the stage that was under way."""

_REFUSALS = frozenset({"certificate", "not_tls", "alert"})
"""Failures of the network kind with which the server did answer: it will say the same again."""


@dataclass(slots=True)
class Attempt:
    """What is being tried, and how far it has come.

    Attributes:
        stage: of spec §6.8; whoever works inside sets it before each step.
        secrets: passwords that a server might repeat in its answer; they are cut out of its words, in every
            spelling that we sent them in.
        source: the address that we left from, once it is known.
        berth: that of its connection, once it is open.
    """

    way: Way
    host: str
    port: int
    secrets: tuple[str, ...] = field(default=(), repr=False)
    stage: str = "connect"
    source: str = ""
    berth: Berth = field(default_factory=Berth, repr=False)

    @contextmanager
    def reported(self) -> Generator[None]:
        """Turn failures of the network, of the server, and silence, into a ProviderFailure. Ours pass unchanged."""
        try:
            yield
        except NetworkError as e:
            raise self._network(e) from e
        except ProtocolError as e:
            raise self._protocol(e) from e

    def timed_out(self, seconds: float) -> ProviderFailure:
        """All of it together took too long."""
        message = f"{self.host}:{self.port} did not get past the stage {self.stage} within {seconds:.0f} s."
        return self._failure(message, stage=self.stage, reason="timeout")

    def _network(self, error: NetworkError) -> ProviderFailure:
        if isinstance(error.route, Route):
            self.source = str(error.route.source.address)
        said = str(getattr(error, "reply", "")) if error.phase is Phase.READ else ""
        return self._failure(
            self._sentence(error.message),
            stage=str(error.phase) if error.phase in _OWN_STAGES else self.stage,
            reason=error.reason,
            server_said=said,
            refused=error.reason in _REFUSALS,
        )

    def _protocol(self, error: ProtocolError) -> ProviderFailure:
        reply = error.reply if isinstance(error, ServerRefused) else ""
        match error:
            case AuthenticationFailed():
                reason = "authentication"
            case ServerRefused():
                reason = "refused"
            case _:
                reason = "protocol"
        temporary = isinstance(error, ServerRefused) and not error.permanent
        return self._failure(
            self._sentence(error.message),
            stage=self.stage,
            reason=reason,
            server_said=reply,
            refused=not temporary,
        )

    def _failure(
        self, message: str, *, stage: str, reason: str, server_said: str = "", refused: bool = False
    ) -> ProviderFailure:
        return ProviderFailure(
            message,
            stage=stage,
            reason=reason,
            host=self.host,
            port=self.port,
            source=self.source,
            environment=str(self.way.environment.kind),
            traffic=str(self.way.traffic),
            server_said=cleaned(server_said, self.secrets)[:SERVER_SAID_MAX],
            refused=refused,
            hint=_next_step(self.way, stage, reason),
        )

    def _sentence(self, text: str) -> str:
        return f"{cleaned(text, self.secrets)[:MESSAGE_MAX].rstrip('. ')}."


def _list_of(way: Way) -> str:
    """Where the addresses are listed that an authentication leaves from: each generation has its own (S1)."""
    if way.environment.generation is Generation.V3:
        return "GET /v3/static-ips"
    return f"GET /a/{way.caller.application_id}/ip_addresses"


def _next_step(way: Way, stage: str, reason: str) -> str:
    """What whoever reads the failure does about it: the articles' procedure (S15 to S20), in a sentence or two."""
    unreachable = stage in {"connect", "greeting"} or (stage == "tls" and reason in {"timeout", "closed"})
    match way.traffic, stage, reason:
        case Traffic.AUTH, "resolve", _:
            return "Check the server's name with the mail administrator."
        case Traffic.AUTH, _, _ if unreachable:
            return (
                "First check with the mail administrator that this server and port are right. If they are, have them "
                f"allow the published addresses ({_list_of(way)}), and authenticate again."
            )
        case Traffic.AUTH, "login", "authentication":
            return "Check user name and password; some servers want an app password."
        case _, "login", "authentication":
            return "Authenticate the account again; until then nothing can be read or sent anew."
        case _, "tls", "not_tls":
            return "Use the port for TLS (993 for IMAP, 465 for SMTP), or the one for STARTTLS (143, 587)."
        case _, "tls", "certificate":
            return "The mail administrator renews the certificate, or the server is called by the name that is in it."
        case _, _, _ if unreachable and way.environment.kind is Kind.DYNAMIC:
            return (
                "This left from a dynamic address. A server that accepted the authentication, which leaves from static "
                "addresses, and does not answer here filters by address: it needs static IPs."
            )
        case _:
            return ""
