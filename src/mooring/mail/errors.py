"""What only the stored copy says no with."""

from mooring.errors import MooringError


class Unstorable(MooringError):
    """The database does not take these messages as they are; nothing was written. One of them may be the reason."""
