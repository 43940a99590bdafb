"""What only IMAP can say no with; the branches are in ``mooring.errors``."""

from mooring.errors import Conflict, ConnectionLost, ProtocolError, RemoteProtocolError, ServerRefused


class StartTlsMissing(RemoteProtocolError):
    """The server does not offer STARTTLS (or something on the way took the offer out): nothing is sent in clear."""


class BadCommand(ServerRefused):
    """The server answered BAD: it did not understand or did not expect the command (RFC 9051 §7.1.3)."""


class NoLoginMethod(ServerRefused):
    """The server offers no way to log in that we speak; the credentials were not sent."""


class SaidGoodbye(ConnectionLost):
    """The server ended the connection with BYE, and said why (RFC 9051 §7.1.5).

    Attributes:
        reply: its own words, whole.
        code: its response code, or "".
    """

    reason = "bye"

    def __init__(self, message: str, *, reply: str, code: str = "", hint: str = "") -> None:
        super().__init__(message, detail=reply, hint=hint)
        self.reply = reply
        self.code = code


class NotOffered(ProtocolError):
    """The server lacks the extension that was asked for; nothing was sent.

    Attributes:
        capability: the name it would have had to list.
    """

    def __init__(self, message: str, *, capability: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.capability = capability


class ClientBusy(Conflict):
    """Another task is in the middle of a command on this connection, or has taken it over from a fetch."""


class WrongState(Conflict):
    """The command is not one for the connection's present state, such as a fetch with no mailbox selected."""
