"""From how a probe failed to the class that it belongs to. Pure.

The way (timing, ICMP, resets), the handshake and the server's words are three languages that say the same few things;
here they become one.
"""

from dataclasses import dataclass

from mooring.diagnosis.probes import phrases
from mooring.diagnosis.probes.errors import SpeaksOtherwise
from mooring.diagnosis.probes.firstwords import UNKNOWN, as_text, is_refusal, spoken
from mooring.diagnosis.types import Outcome, Stage
from mooring.errors import (
    AuthenticationFailed,
    ConnectionRefused,
    ConnectTimeout,
    EgressError,
    IcmpMessage,
    LedgerUnavailable,
    MooringError,
    NetworkError,
    ReadTimeout,
    RemoteProtocolError,
    ResolverBusy,
    ServerRefused,
    SourceBusy,
    TargetNotAllowed,
    TLSFailed,
)
from mooring.grants import TlsMode
from mooring.protocols import imap, smtp
from mooring.protocols.imap import SaidGoodbye

_PROHIBITED = frozenset({(3, 9), (3, 10), (3, 13)})
_PROHIBITED6 = frozenset({(1, 1), (1, 5), (1, 6)})
"""ICMP type and code that state a policy (RFC 1812 §5.2.7.1, RFC 4443 §3.1)."""

_OURS_FOR_NOW = SourceBusy | ResolverBusy | LedgerUnavailable
"""Nothing is wrong with the exit: there was no berth, no thread, no ledger just then."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a failure says.

    Attributes:
        said: the peer's words as they came, uncleaned.
        spoken: the protocol of an unexpected peer.
    """

    outcome: Outcome
    said: str = ""
    spoken: str = ""


def reading(error: MooringError, stage: Stage, mode: TlsMode | None) -> Reading:
    """What this failure at this stage says.

    Args:
        mode: how TLS was to begin, as far as that is known.
    """
    match error:
        case EgressError():
            return Reading(Outcome.SPARED if isinstance(error, _OURS_FOR_NOW) else Outcome.OURS)
        case TargetNotAllowed():
            return Reading(Outcome.SPARED)
        case TLSFailed():
            return _handshake(error, mode)
        case SaidGoodbye():
            return _words(error.reply, stage, Outcome.BROKEN)
        case NetworkError():
            return _network(error, stage)
        case SpeaksOtherwise():
            return _otherwise(error.heard)
        case imap.StartTlsMissing() | smtp.StartTlsMissing():
            return Reading(Outcome.NO_STARTTLS)
        case ServerRefused():
            return _refusal(error, stage)
        case RemoteProtocolError() if stage is Stage.GREETING:
            return Reading(Outcome.OTHER_PROTOCOL, spoken=UNKNOWN)
        case RemoteProtocolError():
            return Reading(Outcome.BROKEN)
        case _:
            return Reading(Outcome.FAILED)


def answered_syn(icmp: IcmpMessage | None) -> Outcome | None:
    """What an ICMP message in answer to a SYN says; None if there is none."""
    if icmp is None:
        return None
    is_v6 = ":" in icmp.sender
    match (icmp.type, icmp.code):
        case (3, 3) if not is_v6:
            return Outcome.REJECTED
        case (1, 4) if is_v6:
            return Outcome.REJECTED
        case told if told in (_PROHIBITED6 if is_v6 else _PROHIBITED):
            return Outcome.PROHIBITED
        case _:
            return Outcome.UNREACHABLE


def _network(error: NetworkError, stage: Stage) -> Reading:
    if stage is Stage.CONNECT:
        match error:
            case _ if outcome := answered_syn(error.icmp):
                return Reading(outcome)
            case ConnectTimeout():
                return Reading(Outcome.SILENT)
            case ConnectionRefused():
                return Reading(Outcome.RESET)
            case _ if error.reason == "closed":
                # Accepted and reset in the same moment: the error is there before anybody could read.
                return Reading(Outcome.CLOSED)
            case _:
                return Reading(Outcome.UNREACHABLE)
    heard = error.detail.encode()
    said = error.detail if is_refusal(heard) else ""
    if said:
        return _words(said, stage, Outcome.BROKEN)
    if stage in {Stage.GREETING, Stage.TLS}:
        return Reading(Outcome.MUTE if isinstance(error, ReadTimeout) else Outcome.CLOSED)
    return Reading(Outcome.BROKEN)


def _handshake(error: TLSFailed, mode: TlsMode | None) -> Reading:
    is_first = mode is not TlsMode.STARTTLS
    match error.reason:
        case "certificate":
            return Reading(Outcome.CERTIFICATE)
        case "not_tls":
            return _in_clear(error.heard) if is_first else Reading(Outcome.BROKEN)
        case "closed":
            return Reading(Outcome.CLOSED if is_first else Outcome.BROKEN)
        case "timeout":
            return Reading(Outcome.MUTE if is_first else Outcome.BROKEN)
        case _:
            return Reading(Outcome.ALERT)


def _in_clear(heard: bytes) -> Reading:
    """Words in clear where TLS was due: a policy that the handshake hides, or the wrong port or mode."""
    speaks, said = spoken(heard), as_text(heard)
    if is_refusal(heard):
        return Reading(phrases.turned_away(said), said, speaks)
    return Reading(Outcome.NOT_TLS, said if speaks != UNKNOWN else "", speaks)


def _otherwise(heard: bytes) -> Reading:
    """Another protocol than the one asked for, in clear or inside TLS."""
    speaks = spoken(heard) or UNKNOWN
    if speaks == "tls":
        return Reading(Outcome.NO_STARTTLS, spoken=speaks)
    if is_refusal(heard):
        return Reading(phrases.turned_away(as_text(heard)), as_text(heard), speaks)
    return Reading(Outcome.OTHER_PROTOCOL, as_text(heard) if speaks != UNKNOWN else "", speaks)


def _refusal(error: ServerRefused, stage: Stage) -> Reading:
    said = error.reply
    if isinstance(error, AuthenticationFailed):
        return Reading(phrases.refused_login(said) or Outcome.CREDENTIALS, said)
    if error.code.isdigit() and not isinstance(error, smtp.SmtpRefused):
        return Reading(_status(error, said), said)
    return _words(said, stage, Outcome.FAILED if error.permanent else Outcome.BROKEN)


def _status(error: ServerRefused, said: str) -> Outcome:
    """What a status of HTTP means that is no success."""
    match error.code:
        case "403" | "451":
            told = phrases.refused_login(said)
            return told if told is Outcome.LISTED or told is Outcome.LIMITED else Outcome.POLICY
        case "429":
            return Outcome.LIMITED
        case _:
            return Outcome.FAILED if error.permanent else Outcome.BROKEN


def _words(said: str, stage: Stage, otherwise: Outcome) -> Reading:
    """What a refusal in words says at this stage.

    Args:
        otherwise: what it is where the words do not tell.
    """
    match stage:
        case Stage.GREETING | Stage.CAPABILITY:
            return Reading(phrases.turned_away(said), said)
        case Stage.TLS | Stage.LOGIN:
            return Reading(phrases.refused_login(said) or otherwise, said)
        case _:
            return Reading(phrases.refused_later(said), said)
