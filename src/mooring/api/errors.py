"""What only the doors raise: requests that no service ever sees."""

from mooring.errors import InvalidRequest


class InvalidPayload(InvalidRequest):
    """The body cannot be read at all: not JSON, not multipart, cut short."""


class InvalidIdempotencyKey(InvalidRequest):
    """The Idempotency-Key header cannot be used as a key."""


class RequestTooLarge(InvalidRequest):
    """The body is larger than this door takes."""
