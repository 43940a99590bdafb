"""What the scripts of all protocols have in common: the pair that is dialled, how TLS begins, who speaks first."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from mooring.config import SourceConfig
from mooring.diagnosis.interfaces import MayLogin
from mooring.diagnosis.probes.errors import SpeaksOtherwise
from mooring.diagnosis.probes.firstwords import UNKNOWN, is_refusal, spoken
from mooring.diagnosis.probes.trail import Trail
from mooring.diagnosis.types import Depth, Service, Stage, Target
from mooring.egress import Dial, Dialer, DialledStream
from mooring.errors import ConnectionLost, MooringError, ReadTimeout, RemoteProtocolError, TLSFailed
from mooring.grants import GREETING_S, LOGIN_S, TlsMode, mode_of
from mooring.net import Layer, Stream

DIAL_S = 25.0
"""Seconds for berth, ledger and connection together; each has its own, shorter limit, and this one is for the rest."""

MOST_BYTES = 1024 * 1024
"""That one probe reads: the list of ten thousand folders is about as long. Who sends more has no end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many seconds a probe waits for what; connecting and TLS have those of every dial.

    Attributes:
        command_s: for one command; a healthy server needs a few milliseconds, and people wait for the verdict.
        login_s: servers delay a refusal on purpose.
        leave_s: for the last word of a server that is taken leave of.
        probe_s: for all of it, besides waiting for leave to log in; more than the stages have together.
    """

    greeting_s: float = GREETING_S
    command_s: float = 8.0
    login_s: float = LOGIN_S
    leave_s: float = 3.0
    probe_s: float = 120.0


@dataclass(slots=True)
class Walk:
    """One probe on its way.

    Attributes:
        dial: to the target's host and port, without TLS, which is a stage of its own.
        email: whom a recipient is tried with, or "".
        password: "" where the probe ends before a login.
        may_login: see ``interfaces.MayLogin``.
        deadline: of the whole probe; waiting for leave to log in is not counted.
    """

    dialer: Dialer
    dial: Dial
    source: SourceConfig
    trail: Trail
    limits: Limits
    email: str = ""
    password: str = field(default="", repr=False)
    may_login: MayLogin | None = field(default=None, repr=False)
    deadline: asyncio.Timeout | None = field(default=None, repr=False)

    @property
    def target(self) -> Target:
        """The service that is asked."""
        return self.trail.probe.target

    async def connect(self) -> DialledStream:
        """A connection of the probe's pair, in clear.

        Raises:
            NetworkError, EgressError, TargetNotAllowed.
        """
        async with self.trail.passing(Stage.CONNECT, DIAL_S):
            stream = await self.dial_again()
            self.trail.connected(stream)
        return stream

    async def protect(self, stream: DialledStream) -> None:
        """TLS from the first byte; what fails leaves no connection behind.

        Raises:
            TLSFailed.
        """
        tls_s = self.dialer.timeouts.tls_s
        try:
            async with self.trail.passing(Stage.TLS, 2 * tls_s):
                await stream.start_tls(timeout_s=tls_s)
                self.trail.protected(stream)
        except BaseException:
            await stream.aclose()
            raise

    async def open(self) -> tuple[DialledStream, TlsMode]:
        """A connection to a mail server, and how TLS begins on it: done where that is at once.

        On a port that says nothing about it, TLS is tried first, and the server asked again if it answers in clear.
        """
        trail = self.trail
        trail.tls = self.target.tls or mode_of(self.target.port)
        stream = await self.connect()
        if trail.tls is TlsMode.STARTTLS:
            return stream, TlsMode.STARTTLS
        is_open_question = trail.tls is None
        trail.tls = TlsMode.IMPLICIT
        try:
            await self.protect(stream)
        except TLSFailed as e:
            if not is_open_question or e.reason != "not_tls" or is_refusal(e.heard):
                raise
            if spoken(e.heard) not in {self.target.service, UNKNOWN}:
                raise SpeaksOtherwise(
                    f"{trail.probe.address} does not speak {self.target.service}", heard=e.heard
                ) from e
        else:
            return stream, TlsMode.IMPLICIT
        trail.start_again()
        trail.tls = TlsMode.STARTTLS
        return await self.connect(), TlsMode.STARTTLS

    async def hear(self, stream: DialledStream) -> None:
        """Wait until a mail server speaks, and see that it speaks what it is meant to.

        Raises:
            ReadTimeout, ConnectionLost: it does not.
            SpeaksOtherwise: it speaks something else, or waits for TLS.
        """
        try:
            first = await stream.peek(timeout_s=self.limits.greeting_s)
        except ReadTimeout:
            await stream.aclose()
            if self.trail.tls is TlsMode.STARTTLS and await self._awaits_tls():
                raise SpeaksOtherwise(
                    "the server waits for TLS at once, on a port for STARTTLS", heard=_HANDSHAKE
                ) from None
            raise
        if not first:
            raise ConnectionLost(f"{stream.host}:{stream.peer.port} closed the connection before its first word")
        if spoken(first) != self.target.service:
            raise SpeaksOtherwise(f"{stream.host}:{stream.peer.port} does not speak {self.target.service}", heard=first)

    async def is_allowed_to_login(self) -> bool:
        """Whether credentials are to be shown now; waits for as long as somebody thinks about it."""
        if not self.password or self.may_login is None:
            return False
        began, until = time.monotonic(), self.deadline.when() if self.deadline else None
        if self.deadline and until:
            self.deadline.reschedule(None)
        try:
            allowed = await self.may_login()
        finally:
            waited_s = time.monotonic() - began
            self.trail.waited_s += waited_s
            if self.deadline and until:
                self.deadline.reschedule(until + waited_s)
        if allowed:
            self.trail.depth = Depth.FULL
        return allowed

    async def dial_again(self) -> DialledStream:
        """One more connection of the probe's pair, which is no stage; raises as ``connect``."""
        self.trail.connections += 1
        address = ip_address(self.trail.probe.address)
        return await self.dialer.dial_pair(self.dial, self.source, address, departing=self.trail.departs)

    async def dial_elsewhere(self, host: str, port: int) -> DialledStream:
        """A connection from the probe's source to another host that the server pointed to; raises as ``connect``."""
        return await self.dialer.dial_from(replace(self.dial, host=host, port=port), self.source)

    async def _awaits_tls(self) -> bool:
        """Whether the same server answers a TLS handshake, on a second connection."""
        stream: DialledStream | None = None
        try:
            stream = await self.dial_again()
            await stream.start_tls(timeout_s=self.dialer.timeouts.tls_s)
            self.trail.protected(stream)
            await stream.send(_FAREWELLS.get(self.target.service, b""), timeout_s=self.limits.leave_s)
        except TLSFailed as e:
            return e.reason in {"certificate", "alert"}
        except MooringError:
            return False
        finally:
            if stream is not None:
                await stream.aclose()
        return True


_HANDSHAKE = b"\x16\x03\x03"
"""How a TLS handshake begins (RFC 8446 §5.1)."""

_FAREWELLS = {Service.IMAP: b"A LOGOUT\r\n", Service.SMTP: b"QUIT\r\n"}


class Metered(Layer):
    """A stream that ends with an error where an honest server's words would long be over."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._left = MOST_BYTES

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        """As the stream's. Raises also RemoteProtocolError: this was more than ``MOST_BYTES``."""
        data = await self._stream.receive(timeout_s=timeout_s)
        self._left -= len(data)
        if self._left < 0:
            raise RemoteProtocolError(f"{self.host} sent more than {MOST_BYTES} bytes")
        return data
