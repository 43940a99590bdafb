"""One submission session, step by step, each step told apart from the next."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from aiosmtplib.esmtp import parse_esmtp_extensions

from mooring.errors import InvalidRequest, MooringError, NetworkError, ProtocolError, RemoteProtocolError
from mooring.large import beside
from mooring.net import TcpStream
from mooring.protocols.smtp.dialogue import Dialogue
from mooring.protocols.smtp.envelope import Envelope, blocks, envelope, with_crlf
from mooring.protocols.smtp.errors import DeliveryUnknown, NotEncrypted, RecipientsRefused, SmtpRefused, StartTlsMissing
from mooring.protocols.smtp.login import Mechanism, password_mechanism, refusal, token_mechanism
from mooring.protocols.smtp.types import COMMAND_S, GREETING_S, Offers, Reply, SendResult, SendTimeouts, Step

TLS_S = 10.0
"""Seconds for a handshake on a connection that already carried an answer."""

QUIT_S = 5.0
"""Seconds. Nothing depends on the answer."""

TURNED_AWAY_S = 1.0
"""Seconds for the same, of a server that has refused to speak to us: somebody waits for the news."""

_CONTINUE, _START_MAIL, _CLOSING = 334, 354, 421
_NO_EHLO = frozenset({500, 502, 504})


class SmtpClient:
    """A submission session over a stream that is already open; it never dials, and never goes on in clear.

    ``greet``, then ``start_tls`` unless the stream came with TLS, then ``login``, then ``send``. After a
    NetworkError or RemoteProtocolError the session is over: every later step raises ConnectionLost.

    Args:
        stream: connected; TLS is done already where the port is implicit TLS (RFC 8314 §3.3).
    """

    __slots__ = ("_dialogue", "_name", "_offers")

    def __init__(self, stream: TcpStream) -> None:
        self._dialogue = Dialogue(stream)
        self._name = b""
        self._offers = Offers({})

    @property
    def offers(self) -> Offers:
        """What the last EHLO was answered with."""
        return self._offers

    @property
    def is_usable(self) -> bool:
        """Whether another message may be sent over this session."""
        return self._dialogue.is_usable

    async def greeting(self, *, timeout_s: float = GREETING_S) -> Reply:
        """Read the greeting, and say nothing yet; who is turned away takes leave, as the server waits for that.

        Raises:
            SmtpRefused: 554, 421 or another no in place of 220.
            ReadTimeout, ConnectionLost, RemoteProtocolError.
        Source: RFC 5321 §3.1.
        """
        reply = await self._dialogue.greeting(timeout_s=timeout_s)
        if reply.code != 220:
            if reply.is_permanent:
                with suppress(NetworkError, ProtocolError):
                    await self._dialogue.ask(Step.QUIT, b"QUIT", timeout_s=TURNED_AWAY_S)
            self._dialogue.give_up()
            raise self._unexpected(reply, Step.GREETING)
        return reply

    async def ehlo(self, name: str, *, timeout_s: float = COMMAND_S) -> Offers:
        """Introduce ourselves and learn what is offered; a server older than EHLO gets HELO.

        Args:
            name: a host name or an address literal such as ``[192.0.2.1]`` (RFC 5321 §4.1.3).
        Raises:
            SmtpRefused, ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        self._name = _host_word(name)
        reply = await self._dialogue.ask(Step.EHLO, b"EHLO", self._name, timeout_s=timeout_s)
        if reply.code in _NO_EHLO:
            await self._demand(Step.EHLO, b"HELO", self._name, timeout_s=timeout_s)
            self._offers = Offers({})
            return self._offers
        self._require(reply, Step.EHLO)
        extensions, mechanisms = parse_esmtp_extensions(reply.text)
        self._offers = Offers(extensions, tuple(dict.fromkeys(m.upper() for m in mechanisms)))
        return self._offers

    async def greet(
        self, ehlo_name: str, *, timeout_s: float = GREETING_S, command_timeout_s: float = COMMAND_S
    ) -> Offers:
        """Read the greeting and introduce ourselves; raises what ``greeting`` and ``ehlo`` raise."""
        await self.greeting(timeout_s=timeout_s)
        return await self.ehlo(ehlo_name, timeout_s=command_timeout_s)

    async def start_tls(self, *, timeout_s: float = TLS_S, command_timeout_s: float = COMMAND_S) -> Offers:
        """Protect the connection, or raise; what the server offered in clear is forgotten and asked again.

        Raises:
            StartTlsMissing: it is not offered; nothing was sent.
            SmtpRefused: it is offered, and then refused.
            TLSFailed, ReadTimeout, ConnectionLost, RemoteProtocolError.
        Source: RFC 3207 §4.
        """
        if self._dialogue.is_encrypted:
            return self._offers
        peer = self._dialogue.peer
        if "starttls" not in self._offers:
            raise StartTlsMissing(
                f"{peer} does not offer STARTTLS",
                hint="use the port for implicit TLS (465), or ask whether something on the way removes the offer",
            )
        await self._demand(Step.STARTTLS, b"STARTTLS", timeout_s=command_timeout_s, wanted=220)
        self._offers = Offers({})
        await self._dialogue.start_tls(timeout_s=timeout_s)
        return await self.ehlo(self._name.decode(), timeout_s=command_timeout_s)

    async def login(
        self, username: str, password: str, *, timeout_s: float = COMMAND_S, allow_clear: bool = False
    ) -> None:
        """Authenticate by PLAIN or LOGIN.

        Args:
            allow_clear: also without TLS; anybody on the way can then read the password.
        Raises:
            AuthenticationFailed: the credentials are wrong, or not enough.
            SmtpRefused: the server refused for another reason, such as a temporary one (454).
            NotOffered, NotEncrypted, InvalidRequest.
            ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        self._require_encrypted(allow_clear)
        await self._authenticate(password_mechanism(self._offers, username, password), timeout_s)

    async def login_with_token(self, username: str, token: str, *, timeout_s: float = COMMAND_S) -> None:
        """Authenticate by XOAUTH2 with an access token; raises what ``login`` raises."""
        self._require_encrypted(False)
        await self._authenticate(token_mechanism(self._offers, username, token), timeout_s)

    async def verify_recipient(self, sender: str, recipient: str, *, timeout_s: float = COMMAND_S) -> Reply:
        """Go as far as RCPT and take it back: the step at which most servers apply their access rules.

        Returns: the reply to RCPT, which is positive.
        Raises:
            SmtpRefused: with the step, MAIL or RCPT, that was refused.
            NotOffered, InvalidRequest, ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        plan = envelope(sender, [recipient], self._offers)
        await self._demand(Step.MAIL, b"MAIL", *plan.mail, timeout_s=timeout_s)
        reply = await self._dialogue.ask(Step.RCPT, b"RCPT", plan.recipients[0][1], timeout_s=timeout_s)
        if reply.code != _CLOSING:
            await self._reset(timeout_s)
        self._require(reply, Step.RCPT)
        return reply

    async def send(
        self,
        sender: str,
        recipients: Sequence[str],
        message: bytes,
        *,
        allow_partial: bool = False,
        timeouts: SendTimeouts | None = None,
    ) -> SendResult:
        """Hand over one message; every error but DeliveryUnknown means that nobody got it.

        A task that is cancelled in here knows no more than DeliveryUnknown does.

        Args:
            sender: the reverse-path, or "".
            message: RFC 5322, whole; line ends are put right.
            allow_partial: deliver to those who are accepted, although others are refused.
        Raises:
            DeliveryUnknown: the connection failed after the server began to take the message.
            RecipientsRefused: all, or without ``allow_partial`` some, were refused.
            SmtpRefused: MAIL, DATA or the message itself was refused.
            NotOffered: too big, or not in characters that this server takes.
            InvalidRequest, ReadTimeout, ConnectionLost, RemoteProtocolError.
        """
        limits = timeouts or SendTimeouts()
        content = await beside(len(message), with_crlf, message)
        plan = envelope(sender, recipients, self._offers, content)
        await self._demand(Step.MAIL, b"MAIL", *plan.mail, timeout_s=limits.envelope_s)
        accepted, refused = await self._name_recipients(plan, limits, allow_partial=allow_partial)
        await self._begin_data(limits)
        queued = await self._hand_over(blocks(content), limits)
        return SendResult(accepted, refused, queued)

    async def quit(self, *, timeout_s: float = QUIT_S) -> None:
        """Take leave if that is still possible, and close; never raises for the server's sake."""
        try:
            if self._dialogue.is_usable:
                await self._dialogue.ask(Step.QUIT, b"QUIT", timeout_s=timeout_s)
        except (NetworkError, ProtocolError):
            self._dialogue.give_up()
        finally:
            await self._dialogue.aclose()

    async def _authenticate(self, mechanism: Mechanism, timeout_s: float) -> None:
        first = [b"AUTH", mechanism.name.encode()]
        if mechanism.initial is not None:
            first.append(mechanism.initial)
        reply = await self._dialogue.ask(Step.AUTH, *first, timeout_s=timeout_s)
        challenge = ""
        for response in mechanism.responses:
            if reply.code != _CONTINUE:
                break
            challenge = reply.text
            reply = await self._dialogue.ask(Step.AUTH, response, timeout_s=timeout_s)
        if reply.is_positive:
            return
        if reply.code < 400:
            self._dialogue.give_up()
            raise RemoteProtocolError(f"{self._dialogue.peer} wants more than {mechanism.name} has to say")
        if reply.code == _CLOSING:
            self._dialogue.give_up()
        raise refusal(self._dialogue.peer, reply, mechanism, challenge)

    async def _name_recipients(
        self, plan: Envelope, limits: SendTimeouts, *, allow_partial: bool
    ) -> tuple[tuple[str, ...], Mapping[str, Reply]]:
        accepted: list[str] = []
        refused: dict[str, Reply] = {}
        for address, word in plan.recipients:
            reply = await self._dialogue.ask(Step.RCPT, b"RCPT", word, timeout_s=limits.envelope_s)
            if reply.is_positive:
                accepted.append(address)
            elif reply.code < 400 or reply.code == _CLOSING:
                raise self._unexpected(reply, Step.RCPT)
            else:
                refused[address] = reply
        if refused and not (allow_partial and accepted):
            await self._reset(limits.envelope_s)
            judge = all if allow_partial else any
            listed = "; ".join(f"{address}: {reply}" for address, reply in refused.items())
            raise RecipientsRefused(
                f"{self._dialogue.peer} refused {len(refused)} of {len(plan.recipients)} recipients: {listed}",
                refused=refused,
                permanent=judge(reply.is_permanent for reply in refused.values()),
            )
        return tuple(accepted), refused

    async def _begin_data(self, limits: SendTimeouts) -> None:
        reply = await self._dialogue.ask(Step.DATA, b"DATA", timeout_s=limits.data_s)
        if reply.code == _START_MAIL:
            return
        if reply.code >= 400 and reply.code != _CLOSING:
            await self._reset(limits.envelope_s)
        raise self._unexpected(reply, Step.DATA)

    async def _hand_over(self, content: Iterator[bytes], limits: SendTimeouts) -> Reply:
        try:
            reply = await self._dialogue.content(content, limits)
        except (NetworkError, RemoteProtocolError) as error:
            raise self._unknown(error) from error
        if reply.is_positive and self._dialogue.dot_sent:
            return reply
        error = self._unexpected(reply, Step.CONTENT)
        raise error if isinstance(error, SmtpRefused) else self._unknown(error)

    def _unknown(self, failure: MooringError) -> DeliveryUnknown:
        return DeliveryUnknown(
            f"{self._dialogue.peer} had the message and did not say whether it took it: {failure}",
            failure=failure,
            dot_sent=self._dialogue.dot_sent,
        )

    async def _reset(self, timeout_s: float) -> None:
        """End the transaction; a session that cannot is over, which is no news to who was just answered."""
        try:
            await self._demand(Step.RSET, b"RSET", timeout_s=timeout_s)
        except (NetworkError, ProtocolError):
            self._dialogue.give_up()

    async def _demand(self, step: Step, *words: bytes, timeout_s: float, wanted: int | None = None) -> Reply:
        reply = await self._dialogue.ask(step, *words, timeout_s=timeout_s)
        self._require(reply, step, wanted=wanted)
        return reply

    def _require(self, reply: Reply, step: Step, *, wanted: int | None = None) -> None:
        if not reply.is_positive or wanted not in (None, reply.code):
            raise self._unexpected(reply, step)

    def _unexpected(self, reply: Reply, step: Step) -> SmtpRefused | RemoteProtocolError:
        if reply.code == _CLOSING or reply.code < 400:
            self._dialogue.give_up()
        if reply.code < 400:
            return RemoteProtocolError(
                f"{self._dialogue.peer} answered {step.upper()} with what has no meaning: {reply}"
            )
        return SmtpRefused(f"{self._dialogue.peer} refused {step.upper()}: {reply}", answer=reply, step=step)

    def _require_encrypted(self, allow_clear: bool) -> None:
        if not (allow_clear or self._dialogue.is_encrypted):
            raise NotEncrypted(
                f"the connection to {self._dialogue.peer} is in clear, so no credentials were sent",
                hint="use STARTTLS, or the port for implicit TLS",
            )


def _host_word(name: str) -> bytes:
    if not (name and name.isascii() and name.isprintable() and " " not in name):
        raise InvalidRequest(f"{name!r} cannot be said in EHLO")
    return name.encode()
