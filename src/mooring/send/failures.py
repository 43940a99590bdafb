"""How a submission failed, as it is stored and told again; and the one failure that is no verdict."""

from typing import Any

from mooring.egress import Traffic
from mooring.errors import EgressError, MooringError, ProviderFailure
from mooring.grants import Grant, way_of
from mooring.send.errors import OutcomeUnknown

_FIELDS = ("stage", "reason", "host", "port", "source", "environment", "traffic", "server_said", "refused")

_CUT_SHORT = (
    " The end of the message had not been handed over; a server that keeps to RFC 5321 has thrown the rest away."
)


def outcome_unknown(grant: Grant, *, source: str = "", cut_short: bool = False) -> OutcomeUnknown:
    """The failure to tell when nobody can say whether the message left.

    Args:
        source: the address that we left from, or "" when that died with the process.
        cut_short: the connection ended before the message did.
    """
    way, server = way_of(grant, Traffic.SEND), grant.settings.smtp
    host, port = (server.host, server.port) if server else ("the server", 0)
    return OutcomeUnknown(
        f"{host} did not say whether it took the message: it may, or may not, have been delivered."
        + (_CUT_SHORT if cut_short else ""),
        stage="send",
        reason="unknown",
        host=host,
        port=port,
        source=source,
        environment=str(way.environment.kind),
        traffic=str(way.traffic),
        hint="Look for it at the recipient, or in the server's log, before sending it again.",
    )


def never_handed_over() -> MooringError:
    """The failure of a submission whose process ended before any server saw it."""
    return MooringError("Mooring was interrupted before it handed the message over; nobody got it.")


def as_stored(error: MooringError) -> dict[str, Any]:
    """The failure as it is written beside the submission."""
    stored: dict[str, Any] = {"message": error.message, "hint": error.hint}
    match error:
        case ProviderFailure():
            return stored | {name: getattr(error, name) for name in _FIELDS}
        case EgressError():
            return stored | {"stage": "egress", "reason": error.reason}
        case _:
            return stored | {"stage": "", "reason": type(error).__name__}


def from_stored(stored: dict[str, Any]) -> OutcomeUnknown:
    """The failure that ``as_stored`` was given, told once more."""
    return OutcomeUnknown(stored["message"], hint=stored["hint"], **{name: stored[name] for name in _FIELDS})
