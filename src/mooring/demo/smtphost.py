"""The SMTP half of the mail host: aiosmtpd as a submission server (RFC 6409) that delivers to its own mailbox."""

import asyncio
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email.utils import format_datetime
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mooring.clock import Clock
from mooring.demo.imaphost import Mailbox
from mooring.demo.letters import INBOX
from mooring.net.listener import AdmittingListener
from mooring.net.tls import SSLContext

HOSTNAME = "mail.harbour.test"
"""What the host calls itself; ``.test`` is nobody's (RFC 6761 §6.2)."""


class SmtpHost:
    """Takes mail from its one user, after STARTTLS and a login, for its one user."""

    def __init__(self, address: str, password: str, mailbox: Mailbox, clock: Clock) -> None:
        self._address = address
        self._password = password
        self._mailbox = mailbox
        self._clock = clock
        self._sessions: WeakSet[SMTP] = WeakSet()

    @asynccontextmanager
    async def serving(self, listener: AdmittingListener, tls: SSLContext) -> AsyncGenerator[None]:
        """Serve on this listener for as long as the block lasts, and end every session with it."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: self._session(loop, tls), sock=listener)
        try:
            yield
        finally:
            server.close()
            for session in self._sessions:
                if session.transport is not None:
                    session.transport.close()

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        """Whether these are the account's own name and password."""
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        named = hmac.compare_digest(data.login, self._address.encode())
        known = hmac.compare_digest(data.password, self._password.encode())
        return AuthResult(success=named and known, handled=False)

    async def handle_RCPT(  # noqa: N802 - the hook's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take mail for the account, and for nobody else."""
        if address.lower() != self._address:
            return "550 5.7.1 This host delivers to its own mailbox only"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Deliver, with the trace that a delivery leaves (RFC 5321 §4.4)."""
        now = self._clock.now()
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        trace = (
            f"Return-Path: <{envelope.mail_from}>\r\n"
            f"Received: from {session.host_name} by {HOSTNAME} with ESMTPSA; {format_datetime(now)}\r\n"
        )
        await self._mailbox.deliver(INBOX, trace.encode() + content, now)
        return "250 2.0.0 Delivered"

    def _session(self, loop: asyncio.AbstractEventLoop, tls: SSLContext) -> SMTP:
        session = SMTP(
            self, hostname=HOSTNAME, ident="harbour mail", tls_context=tls, require_starttls=True, auth_required=True,
            authenticator=self.authenticate, loop=loop,
        )  # fmt: skip
        self._sessions.add(session)
        return session
