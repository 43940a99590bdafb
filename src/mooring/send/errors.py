"""What only a submission can end in."""

from mooring.errors import Conflict, ProviderFailure


class OutcomeUnknown(ProviderFailure):
    """The server had the message, and never said whether it took it: it may, or may not, be delivered."""


class KeyReused(Conflict):
    """The Idempotency-Key was used for another message."""


class KeyInUse(Conflict):
    """A request with this Idempotency-Key is under way."""
