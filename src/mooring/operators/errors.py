"""What only signing in raises."""

from mooring.errors import MooringError, Unauthorized


class WrongPassword(Unauthorized):
    """Nobody has this name and this password; which of the two is wrong is not said."""


class TooManyAttempts(MooringError):
    """So many attempts to sign in have failed that no other is heard yet.

    Attributes:
        wait_s: seconds until one is.
    """

    def __init__(self, message: str, *, wait_s: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s
