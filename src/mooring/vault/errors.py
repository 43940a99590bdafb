"""What only the vault raises."""

from mooring.errors import MooringError


class VaultError(MooringError):
    """Something sealed cannot be opened; the message says which key it asks for, and nothing of what is in it."""
