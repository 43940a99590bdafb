"""What only this room raises."""

from mooring.errors import NotFound


class PartNotFound(NotFound):
    """The message has no attachment with this part identifier."""
