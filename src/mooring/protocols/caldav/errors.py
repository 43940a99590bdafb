"""How CalDAV fails, beyond the network, a plain refusal and a wrong password."""

from mooring.errors import ProtocolError, RemoteProtocolError, ServerRefused


class DavError(ProtocolError):
    """The server cannot be used for calendars in the way that was asked."""


class NotCalDav(DavError):
    """The server answers, and none of its answers leads to calendars."""


class RedirectRefused(DavError):
    """The server points to a place where these credentials must not go: another site, or one in clear.

    Attributes:
        target: the URL that was not followed, without credentials and query.
    """

    def __init__(self, message: str, *, target: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.target = target


class NotEncrypted(DavError):
    """Credentials are not sent over plain http."""


class ResponseTooLarge(RemoteProtocolError):
    """The answer is longer than any that is worth reading; the rest was not read."""


class SyncTokenInvalid(ServerRefused):
    """The server has forgotten this token: list everything anew (RFC 6578 §3.2)."""
