"""What only the demonstration ends in."""

from mooring.errors import MooringError


class NotAsTold(MooringError):
    """Something did not happen as the story tells it."""
