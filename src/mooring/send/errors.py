"""What only a submission can end in."""

from mooring.errors import ProviderFailure


class OutcomeUnknown(ProviderFailure):
    """The server had the message, and never said whether it took it: it may, or may not, be delivered."""
