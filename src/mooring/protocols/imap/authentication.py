"""From the greeting to being logged in, STARTTLS included.

Passwords and tokens go to the stream and nowhere else: not into errors, not into a repr.
"""

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress

from mooring.errors import AuthenticationFailed, InvalidRequest, MooringError, RemoteProtocolError, ServerRefused
from mooring.protocols.imap.commands import Command, Literal, Verb, atom, nullable_string, octets, string
from mooring.protocols.imap.errors import NoLoginMethod, StartTlsMissing
from mooring.protocols.imap.names import readable
from mooring.protocols.imap.session import COMMAND_S, Session
from mooring.protocols.imap.states import require
from mooring.protocols.imap.types import Enabled, ResponseText, ServerId, Status, StatusResponse

_MAX_CHALLENGE = 2_000
"""Characters of an XOAUTH2 error challenge that are kept."""


class Authentication(Session):
    """Greeting, STARTTLS, logins, ID, ENABLE, LOGOUT."""

    __slots__ = ()

    async def greeting(self, *, allow_preauth: bool = False, timeout_s: float = COMMAND_S) -> ResponseText:
        """Read the server's first words; to be called once, before anything else.

        Args:
            allow_preauth: accept a connection that is logged in already. Only sensible inside implicit TLS: in clear,
                PREAUTH is how an attacker keeps a client from STARTTLS.
        Raises:
            ServerRefused: the server said BYE; its words are in ``reply``.
            RemoteProtocolError: this is no IMAP server, or one that says PREAUTH unasked.
        """
        with self._exclusive():
            event = await self._next_event(self._deadline(timeout_s))
            match event:
                case StatusResponse(status=Status.OK, text=text):
                    return text
                case StatusResponse(status=Status.PREAUTH, text=text) if allow_preauth:
                    return text
                case StatusResponse(status=Status.PREAUTH):
                    raise RemoteProtocolError(f"{self._stream.host} claims that we are logged in already (PREAUTH)")
                case StatusResponse(status=Status.BYE, text=text):
                    reply = readable(text.raw)
                    raise ServerRefused(
                        f"{self._stream.host} turned the connection away: {text.text or reply}",
                        reply=reply,
                        code=text.code or "",
                        permanent=False,
                    )
                case _:
                    raise RemoteProtocolError(f"{self._stream.host} did not greet the way an IMAP server does")

    async def start_tls(self, *, timeout_s: float = COMMAND_S) -> None:
        """Protect the connection; nothing that was said in clear is believed afterwards.

        Raises:
            StartTlsMissing: the server does not offer it; the connection must not be used for a login.
            TLSFailed: the handshake failed.
        Source: RFC 9051 §6.2.1.
        """
        require(Verb.STARTTLS, self.state)
        if not await self._offers("STARTTLS", timeout_s=timeout_s):
            raise StartTlsMissing(f"{self._stream.host} does not offer STARTTLS", hint="Use port 993 with TLS.")
        await self._run(Command(Verb.STARTTLS), timeout_s=timeout_s)
        with self._exclusive(fragile=True):
            self._wire.forget_clear_text()
            self._events.take()
            await self._stream.start_tls(timeout_s=timeout_s)

    async def login(self, username: str, password: str, *, timeout_s: float = COMMAND_S) -> None:
        """Log in with a password, by AUTHENTICATE PLAIN where it is offered and else by LOGIN.

        Args:
            username, password: of any characters but NUL; they travel as UTF-8.
        Raises:
            AuthenticationFailed: the server refused them.
            NoLoginMethod: the server forbids both ways here; they were not sent.
        Source: RFC 4616, RFC 9051 §6.2.2 and §6.2.3.
        """
        name, secret = octets(username), octets(password)
        require(Verb.AUTHENTICATE, self.state)
        offered = await self.capabilities(timeout_s=timeout_s)
        if "AUTH=PLAIN" in offered:
            await self._authenticate("PLAIN", b"\0%b\0%b" % (name, secret), timeout_s=timeout_s)
        elif "LOGINDISABLED" in offered:
            raise NoLoginMethod(
                f"{self._stream.host} offers no login with a password on this connection",
                reply=f"CAPABILITY {' '.join(sorted(offered))}",
                code="LOGINDISABLED",
            )
        else:
            command = Command(Verb.LOGIN, string(name), string(secret))
            await self._run(command, timeout_s=timeout_s)

    async def login_oauth(self, username: str, token: str, *, timeout_s: float = COMMAND_S) -> None:
        """Log in with an access token, by AUTHENTICATE XOAUTH2.

        Raises:
            AuthenticationFailed: ``reply`` also holds what the server said in its error challenge.
            NoLoginMethod: the server does not offer XOAUTH2.
        """
        require(Verb.AUTHENTICATE, self.state)
        offered = await self.capabilities(timeout_s=timeout_s)
        if "AUTH=XOAUTH2" not in offered:
            raise NoLoginMethod(
                f"{self._stream.host} offers no login with a token",
                reply=f"CAPABILITY {' '.join(sorted(offered))}",
            )
        if "\1" in username + token:
            raise InvalidRequest("a user name or token cannot hold control characters")
        secret = octets(f"user={username}\1auth=Bearer {token}\1\1")
        await self._authenticate("XOAUTH2", secret, timeout_s=timeout_s)

    async def identify(
        self, fields: Mapping[str, str | None] | None = None, *, timeout_s: float = COMMAND_S
    ) -> dict[str, str]:
        """Say who we are (RFC 2971), and hear who the server is.

        Args:
            fields: such as ``{"name": "Mooring"}``; None says nothing.
        """
        said = [part for key, value in (fields or {}).items() for part in (string(key), nullable_string(value))]
        if any(isinstance(part, Literal) for part in said):
            raise InvalidRequest("the fields of ID are short and plain ASCII")
        arguments = [b"(", *said, b")"] if said else [b"NIL"]
        reply = await self._run(Command(Verb.ID, *arguments), timeout_s=timeout_s, collect=(ServerId,))
        answer = reply.last(ServerId)
        return answer.fields if answer else {}

    async def enable(self, *names: str, timeout_s: float = COMMAND_S) -> frozenset[str]:
        """Switch extensions on, such as ``QRESYNC`` or ``UTF8=ACCEPT``.

        Returns: those that the server switched on now or before.
        Raises:
            NotOffered: the server has no ENABLE.
        Source: RFC 5161.
        """
        await self._demand("ENABLE", timeout_s=timeout_s)
        await self._run(Command(Verb.ENABLE, *map(atom, names)), timeout_s=timeout_s, collect=(Enabled,))
        return self._wire.enabled

    async def noop(self, *, timeout_s: float = COMMAND_S) -> None:
        """Let the server tell what is new; it is in ``take_events`` then."""
        await self._run(Command(Verb.NOOP), timeout_s=timeout_s)

    async def _authenticate(self, mechanism: str, secret: bytes, *, timeout_s: float) -> None:
        """Give the secret with the command where SASL-IR (RFC 4959) is offered, else when the server asks.

        A further challenge is a server's explanation of its refusal, and is answered with an empty line.
        """
        unsent = [base64.b64encode(secret)]
        arguments: list[str | bytes] = [mechanism]
        if await self._offers("SASL-IR", timeout_s=timeout_s):
            arguments.append(unsent.pop())
        challenges: list[bytes] = []

        def respond(challenge: bytes) -> bytes:
            if unsent:
                return unsent.pop()
            challenges.append(challenge)
            return b""

        try:
            await self._run(Command(Verb.AUTHENTICATE, *arguments), timeout_s=timeout_s, respond=respond)
        except AuthenticationFailed as e:
            e.reply = " ".join([e.reply, *map(_unpacked, challenges[:1])])
            raise

    async def logout(self, *, timeout_s: float = 10.0) -> None:
        """Say goodbye and close the stream. Never raises: whatever goes wrong, the connection is over."""
        with suppress(MooringError):
            await self._run(Command(Verb.LOGOUT), timeout_s=timeout_s)
        await self.aclose()


def _unpacked(challenge: bytes) -> str:
    """The text of an error challenge, which is Base64 of JSON with most servers."""
    try:
        text = readable(base64.b64decode(challenge, validate=True))
    except binascii.Error:
        text = readable(challenge)
    return text[:_MAX_CHALLENGE]
