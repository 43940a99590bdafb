"""What a plain socket sees of a server, from one address of ours, in a few words.

The words, as far as a look came:

    silent · reset · icmp TYPE/CODE from SENDER · here: ERRNO      there is no connection
    closed · mute · certificate: WHY · in clear: WORDS             there is one, and no greeting
    said: WORDS                                                    words that refuse, in place of a greeting
    greeted                                                        all well, without credentials
    login refused: WORDS · recipient refused: WORDS · http STATUS
    logged in · recipient accepted                                 all well, with credentials

A look ends politely (LOGOUT, QUIT), and changes nothing in a mailbox.
"""

import base64
import errno
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.lab.situations.types import Service

#: Seconds: far above what a server here needs, and two SYNs that were sent again.
PATIENCE_S = 4.0

_IP_RECVERR, _IPV6_RECVERR = 11, 25
_MSG_ERRQUEUE = 0x2000
_IMAP_TAG = b"a "

#: Of connect(); who is quick sees a connection that was accepted and reset at once as one that never was.
_ERRORS = {errno.ECONNREFUSED: "reset", errno.ECONNRESET: "closed"}


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and a password."""

    username: str
    password: str = field(repr=False)

    @property
    def plain(self) -> str:
        """For SASL PLAIN (RFC 4616)."""
        return base64.b64encode(f"\0{self.username}\0{self.password}".encode()).decode()

    @property
    def basic(self) -> str:
        """For HTTP (RFC 7617)."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class _Seen(Exception):
    """A look has ended; the message is its word."""


def look(
    source: str, address: str, service: Service, name: str, trust: ssl.SSLContext, login: Login | None = None
) -> str:
    """The word for what is seen of ``service`` at ``address`` from ``source``.

    Args:
        name: the server's, for its certificate.
    """
    try:
        with _connected(source, address, service.port) as plain:
            if not service.is_implicit:
                with _Line(plain) as line:
                    return _converse(line, service, name, trust, login)
            with _Line(_secured(plain, name, trust)) as line:
                return _converse(line, service, name, trust, login)
    except _Seen as seen:
        word = str(seen)
    if word == "in clear":
        with _connected(source, address, service.port) as plain:
            return f"in clear: {_first_words(plain)}"
    return word


def _connected(source: str, address: str, port: int) -> socket.socket:
    is_six = ":" in address
    plain = socket.socket(socket.AF_INET6 if is_six else socket.AF_INET)
    plain.settimeout(PATIENCE_S)
    if is_six:
        plain.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        plain.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    try:
        plain.bind((source, 0))
        plain.connect((address, port))
    except TimeoutError:
        plain.close()
        raise _Seen("silent") from None
    except OSError as e:
        word = _icmp(plain)
        plain.close()
        if not word:
            word = _ERRORS.get(e.errno or 0) or f"here: {errno.errorcode[e.errno or 0]}"
        raise _Seen(word) from None
    return plain


def _icmp(plain: socket.socket) -> str:
    """The ICMP message that the kernel queued, or "": struct sock_extended_err, and the sender's address behind it."""
    try:
        _, ancillary, _, _ = plain.recvmsg(0, 512, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return ""
    for _, _, data in ancillary:
        origin, kind, code = data[4], data[5], data[6]
        if origin == 2:
            return f"icmp {kind}/{code} from {socket.inet_ntop(socket.AF_INET, data[20:24])}"
        if origin == 3:
            return f"icmp {kind}/{code} from {socket.inet_ntop(socket.AF_INET6, data[24:40])}"
    return ""


class _Tls(ssl.SSLSocket):
    """Begins a handshake even with a peer that has just gone: the library would forget to close the socket."""

    def getpeername(self) -> Any:
        with suppress(OSError):
            return super().getpeername()
        return None


def _secured(plain: socket.socket, name: str, trust: ssl.SSLContext) -> socket.socket:
    trust.sslsocket_class = _Tls
    try:
        return trust.wrap_socket(plain, server_hostname=name)
    except ssl.SSLCertVerificationError as e:
        raise _Seen(f"certificate: {e.verify_message}") from None
    except TimeoutError:
        raise _Seen("mute") from None
    except ssl.SSLError as e:
        raise _Seen("in clear" if e.reason == "WRONG_VERSION_NUMBER" else "closed") from None
    except OSError:
        raise _Seen("closed") from None


def _first_words(plain: socket.socket) -> str:
    """What a server that speaks in clear says of itself, or to somebody who asks as a browser does."""
    try:
        plain.settimeout(1)
        try:
            return plain.recv(512).decode(errors="replace").strip()
        except TimeoutError:
            plain.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return plain.recv(512).decode(errors="replace").split("\r\n")[0]
    except OSError as e:
        return type(e).__name__


class _Line:
    """Lines to and from a server."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._file = stream.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._file.close()
        self._stream.close()

    def secure(self, name: str, trust: ssl.SSLContext) -> None:
        """Begin TLS."""
        self._file.close()
        self._stream = _secured(self._stream, name, trust)
        self._file = self._stream.makefile("rb")

    def first(self) -> str:
        """The first line, which may not come."""
        try:
            words = self._file.readline()
        except TimeoutError:
            raise _Seen("mute") from None
        except OSError:
            raise _Seen("closed") from None
        if not words:
            raise _Seen("closed")
        return words.decode(errors="replace").strip()

    def say(self, words: str) -> None:
        self._stream.sendall(f"{words}\r\n".encode())

    def tagged(self, command: str) -> str:
        """IMAP: the last line of the answer, without its tag."""
        self._stream.sendall(_IMAP_TAG + f"{command}\r\n".encode())
        while not (words := self._file.readline()).startswith(_IMAP_TAG):
            if not words:
                return "closed"
        return words.decode(errors="replace").removeprefix("a ").strip()

    def reply(self, command: str) -> str:
        """SMTP: the last line of the answer."""
        self.say(command)
        return self.last()

    def last(self) -> str:
        """SMTP: the last line of an answer that has begun."""
        while (words := self._file.readline())[3:4] == b"-":
            pass
        return words.decode(errors="replace").strip() or "closed"


def _converse(line: _Line, service: Service, name: str, trust: ssl.SSLContext, login: Login | None) -> str:
    match service.kind:
        case "imap":
            return _imap(line, service, name, trust, login)
        case "smtp":
            return _smtp(line, service, name, trust, login)
        case _:
            return _caldav(line, name, login)


def _imap(line: _Line, service: Service, name: str, trust: ssl.SSLContext, login: Login | None) -> str:
    greeting = line.first()
    if not greeting.startswith("* OK"):
        return f"said: {greeting}"
    if not service.is_implicit:
        if not line.tagged("STARTTLS").startswith("OK"):
            return "no starttls"
        line.secure(name, trust)
    if login is None:
        line.tagged("LOGOUT")
        return "greeted"
    answer = line.tagged(f'LOGIN "{login.username}" "{login.password}"')
    if not answer.startswith("OK"):
        line.tagged("LOGOUT")
        return f"login refused: {answer}"
    opened = line.tagged("EXAMINE INBOX")
    line.tagged("LOGOUT")
    return "logged in" if opened.startswith("OK") else f"inbox refused: {opened}"


def _smtp(line: _Line, service: Service, name: str, trust: ssl.SSLContext, login: Login | None) -> str:
    greeting = line.first()
    if not greeting.startswith("220"):
        return f"said: {greeting}"
    line.reply("EHLO looking.test")
    if not service.is_implicit:
        if not line.reply("STARTTLS").startswith("220"):
            return "no starttls"
        line.secure(name, trust)
        line.reply("EHLO looking.test")
    word = "greeted" if login is None else _to_recipient(line, login)
    line.reply("QUIT")
    return word


def _to_recipient(line: _Line, login: Login) -> str:
    answer = line.reply(f"AUTH PLAIN {login.plain}")
    if not answer.startswith("235"):
        return f"login refused: {answer}"
    line.reply(f"MAIL FROM:<{login.username}>")
    answer = line.reply(f"RCPT TO:<{login.username}>")
    line.reply("RSET")
    return "recipient accepted" if answer.startswith("250") else f"recipient refused: {answer}"


def _caldav(line: _Line, name: str, login: Login | None) -> str:
    authorization = f"Authorization: Basic {login.basic}\r\n" if login else ""
    line.say(
        f"PROPFIND / HTTP/1.1\r\nHost: {name}\r\nDepth: 0\r\nContent-Length: 0\r\nConnection: close\r\n{authorization}"
    )
    status = line.first().split()[1]
    return f"http {status}"
