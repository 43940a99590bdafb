"""What only the doors raise: requests that no service ever sees."""

from mooring.errors import InvalidRequest, MooringError


class InvalidPayload(InvalidRequest):
    """The body cannot be read at all: not JSON, not multipart, cut short."""


class InvalidIdempotencyKey(InvalidRequest):
    """The Idempotency-Key header cannot be used as a key."""


class RequestTooLarge(InvalidRequest):
    """The body is larger than this door takes."""


class RateLimited(MooringError):
    """The caller asks more often than it may; nothing was done.

    Attributes:
        limit: so many it may ask in a while.
        wait_s: seconds until it may ask again.
    """

    def __init__(self, message: str, *, limit: int, wait_s: float) -> None:
        super().__init__(message, hint="Wait as long as Retry-After says.")
        self.limit = limit
        self.wait_s = wait_s
