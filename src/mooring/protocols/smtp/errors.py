"""How a submission fails, and above all: whether it may be repeated.

Whatever ``SmtpClient.send`` raises, except DeliveryUnknown, means that nobody got the message: it may
be repeated. DeliveryUnknown is neither a NetworkError nor a ServerRefused, so that nothing that
retries those can repeat it by accident.
"""

from collections.abc import Mapping

from mooring.errors import MooringError, ProtocolError, RemoteProtocolError, ServerRefused
from mooring.protocols.smtp.types import Reply, Step


class StartTlsMissing(RemoteProtocolError):
    """TLS is required, and the server does not offer STARTTLS; nothing more was said in clear."""


class NotEncrypted(ProtocolError):
    """Credentials are not sent over a connection that anybody on the way can read."""


class SmtpRefused(ServerRefused):
    """The server answered a step with 4xx or 5xx.

    Attributes:
        answer: the whole reply.
        step: what it answered.
    """

    def __init__(self, message: str, *, answer: Reply, step: Step, permanent: bool | None = None) -> None:
        super().__init__(
            message,
            reply=str(answer),
            code=str(answer.code),
            permanent=answer.is_permanent if permanent is None else permanent,
        )
        self.answer = answer
        self.step = step

    @property
    def before_data(self) -> bool:
        """Whether the refusal came before the server saw any of the message."""
        return self.step is not Step.CONTENT


class RecipientsRefused(SmtpRefused):
    """Recipients were refused, and nothing was sent to anybody.

    Attributes:
        refused: each refused address, as the caller wrote it, with its reply.
    """

    def __init__(self, message: str, *, refused: Mapping[str, Reply], permanent: bool) -> None:
        super().__init__(message, answer=next(iter(refused.values())), step=Step.RCPT, permanent=permanent)
        self.refused = refused


class NotOffered(ServerRefused):
    """The server's own list of extensions rules this out, so it was not tried: size, SMTPUTF8, 8BITMIME, AUTH."""


class DeliveryUnknown(MooringError):
    """The connection failed while the server had the message: it may, or may not, deliver it.

    Attributes:
        failure: what went wrong: a NetworkError or a RemoteProtocolError.
        dot_sent: whether the end of the message was already handed over; when not, a server that keeps
            to RFC 5321 §4.1.1.4 has thrown the part away.
    """

    def __init__(self, message: str, *, failure: MooringError, dot_sent: bool) -> None:
        super().__init__(message, hint="look for it at the recipient, or in the server's log, before repeating")
        self.failure = failure
        self.dot_sent = dot_sent
