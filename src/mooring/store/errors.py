"""What only the store raises."""

from mooring.errors import MooringError


class StoreUnavailable(MooringError):
    """The database or the object store did not answer, or went away in the middle; nothing is known to be written."""


class ObjectMissing(MooringError):
    """The object, or the part of it that was asked for, is not in the object store."""


class InvalidKey(MooringError):
    """The name cannot be the name of an object."""
