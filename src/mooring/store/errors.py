"""What only the store raises."""

import asyncpg

from mooring.errors import MooringError


class StoreUnavailable(MooringError):
    """The database or the object store did not answer, or went away in the middle; nothing is known to be written."""


class ObjectMissing(MooringError):
    """The object, or the part of it that was asked for, is not in the object store."""


class InvalidKey(MooringError):
    """The name cannot be the name of an object."""


UNSTORABLE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError, OverflowError, UnicodeError, TypeError)
"""What the database raises for values that it does not take, and its driver for those that it cannot hand over."""
