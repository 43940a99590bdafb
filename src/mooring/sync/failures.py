"""A failure as it is stored beside what it keeps from working, and shown there."""

from typing import Any

from mooring.errors import EgressError, MooringError, ProviderFailure


def as_stored(error: MooringError) -> dict[str, Any]:
    """The failure in the shape of ``provider_error`` (spec §6.8), and in a sentence."""
    if isinstance(error, ProviderFailure):
        return {
            "message": error.message,
            "stage": error.stage,
            "reason": error.reason,
            "host": error.host,
            "port": error.port,
            "source": error.source,
            "environment": error.environment,
            "class": error.traffic,
            "server_said": error.server_said,
        }
    reason = error.reason if isinstance(error, EgressError) else type(error).__name__
    return {"message": error.message, "stage": "egress" if isinstance(error, EgressError) else "", "reason": reason}
