"""Opening what a grant has: an IMAP session, an SMTP session, an HTTP client for CalDAV; each logged in."""

from contextlib import suppress

import httpx

from mooring.config import IPAddress
from mooring.egress import Dial, Dialer, DialledStream, http_client
from mooring.errors import ServerRefused, TLSFailed
from mooring.grants.attempt import Attempt
from mooring.grants.types import Server, TlsMode
from mooring.grants.ways import Way
from mooring.protocols.imap import ImapClient
from mooring.protocols.smtp import SmtpClient

GREETING_S = 8.0
"""Seconds for a greeting: what is left of 30 s (spec §6.8) once name, connection and TLS have had their share."""
LOGIN_S = 20.0
"""Seconds for a login; Dovecot delays a refusal by up to 15 s (auth penalty)."""

_IMPLICIT_PORTS = frozenset({465, 993})
_STARTTLS_PORTS = frozenset({25, 143, 587, 2525})

CLIENT_ID = {"name": "Mooring"}
"""What we say we are (RFC 2971), so that an administrator who sees us in a log can find out who calls."""


class Sessions:
    """Opens sessions by the dialer; every failure is a ProviderFailure of the attempt it is given."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer

    async def imap(self, way: Way, server: Server, password: str) -> tuple[ImapClient, Attempt, TlsMode]:
        """A logged-in IMAP session, the attempt to report its failures with, and how TLS began.

        Raises:
            ProviderFailure, EgressError, TargetNotAllowed.
        """
        attempt = attempt_at(way, server, password)
        client, tls = await self.open_imap(attempt, server, password)
        return client, attempt, tls

    async def open_imap(self, attempt: Attempt, server: Server, password: str) -> tuple[ImapClient, TlsMode]:
        """As ``imap``, for whoever wants to know how far it came when it takes too long."""
        with attempt.reported():
            stream, tls = await self._open(attempt, server)
            client = ImapClient(stream)
            try:
                attempt.stage = "greeting"
                await client.greeting(timeout_s=GREETING_S, allow_preauth=False)
                if tls is TlsMode.STARTTLS:
                    attempt.stage = "tls"
                    await client.start_tls(timeout_s=GREETING_S)
                attempt.stage = "login"
                await client.login(server.username, password, timeout_s=LOGIN_S)
                if "ID" in await client.capabilities():
                    with suppress(ServerRefused):
                        await client.identify(CLIENT_ID)
            except BaseException:
                await client.aclose()
                raise
        return client, tls

    async def smtp(self, way: Way, server: Server, password: str) -> tuple[SmtpClient, Attempt, TlsMode]:
        """A logged-in submission session; otherwise as ``imap``."""
        attempt = attempt_at(way, server, password)
        client, tls = await self.open_smtp(attempt, server, password)
        return client, attempt, tls

    async def open_smtp(self, attempt: Attempt, server: Server, password: str) -> tuple[SmtpClient, TlsMode]:
        """As ``smtp``, for whoever wants to know how far it came when it takes too long."""
        with attempt.reported():
            stream, tls = await self._open(attempt, server)
            client = SmtpClient(stream)
            try:
                attempt.stage = "greeting"
                await client.greet(
                    ehlo_name(stream.route.source.address), timeout_s=GREETING_S, command_timeout_s=GREETING_S
                )
                if tls is TlsMode.STARTTLS:
                    attempt.stage = "tls"
                    await client.start_tls(timeout_s=GREETING_S, command_timeout_s=GREETING_S)
                attempt.stage = "login"
                await client.login(server.username, password, timeout_s=LOGIN_S)
            except BaseException:
                await stream.aclose()
                raise
        return client, tls

    def http(self, attempt: Attempt) -> httpx.AsyncClient:
        """An HTTP client that leaves by the attempt's way, and tells it the source; the caller closes it."""

        def opened(stream: DialledStream) -> None:
            attempt.source = str(stream.route.source.address)

        def dial(host: str, port: int) -> Dial:
            return attempt.way.dial(host, port, tls=False)

        # Whoever waits for a berth holds none at the same server, or many that do so wait for each other.
        return http_client(self._dialer, dial, opened=opened, at_once=1)

    async def _open(self, attempt: Attempt, server: Server) -> tuple[DialledStream, TlsMode]:
        """The stream to a server, and how TLS is to begin on it.

        On a port that says nothing about it, TLS from the first byte is tried first. A server that answers
        in clear is then asked again, for STARTTLS.
        """
        mode = server.tls or mode_of(server.port)
        if mode is not None:
            return await self._dial(attempt, mode is TlsMode.IMPLICIT), mode
        try:
            return await self._dial(attempt, True), TlsMode.IMPLICIT
        except TLSFailed as e:
            if e.reason != "not_tls":
                raise
        return await self._dial(attempt, False), TlsMode.STARTTLS

    async def _dial(self, attempt: Attempt, tls: bool) -> DialledStream:
        stream = await self._dialer.dial(attempt.way.dial(attempt.host, attempt.port, tls=tls))
        attempt.source = str(stream.route.source.address)
        attempt.berth = stream.berth
        return stream


def attempt_at(way: Way, server: Server, password: str) -> Attempt:
    """The attempt that failures with a mail server are told with."""
    return Attempt(way, server.host, server.port, secrets=(password,))


def ehlo_name(address: IPAddress) -> str:
    """How we introduce ourselves: by the address that the server sees (RFC 5321 §4.1.3)."""
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def mode_of(port: int) -> TlsMode | None:
    """How TLS begins on a port that says so; None on any other."""
    if port in _IMPLICIT_PORTS:
        return TlsMode.IMPLICIT
    return TlsMode.STARTTLS if port in _STARTTLS_PORTS else None
