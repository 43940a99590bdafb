"""A mail host whose administrator admits some addresses and drops all others: what the story is about."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from mooring.clock import Clock
from mooring.demo.authority import Certificate
from mooring.demo.imaphost import ImapHost, Mailbox
from mooring.demo.letters import ACCOUNT, INBOX, SENT, letters
from mooring.demo.smtphost import SmtpHost
from mooring.demo.types import Connection
from mooring.ids import new_secret
from mooring.net.listener import AdmittingListener, server_context


@dataclass(frozen=True, slots=True)
class MailHost:
    """One account's mail host, while it serves."""

    mailbox: Mailbox
    imap: AdmittingListener
    smtp: AdmittingListener
    password: str = field(repr=False)
    address: str = ACCOUNT

    @property
    def connections(self) -> list[Connection]:
        """Every connection that was ever accepted, IMAP before SMTP."""
        services = (("imap", self.imap), ("smtp", self.smtp))
        return [Connection(name, peer.host, peer.port) for name, listener in services for peer in listener.accepted]

    @property
    def settings(self) -> dict[str, Any]:
        """What somebody who connects the account fills in."""
        imap, smtp = self.imap.endpoint, self.smtp.endpoint
        return {
            "imap_host": imap.host, "imap_port": imap.port, "imap_tls": "implicit",
            "imap_username": self.address, "imap_password": self.password,
            "smtp_host": smtp.host, "smtp_port": smtp.port, "smtp_tls": "starttls",
        }  # fmt: skip


@asynccontextmanager
async def open_mail_host(
    address: IPv4Address, admitted: Sequence[IPv4Address], certificate: Certificate, clock: Clock
) -> AsyncGenerator[MailHost]:
    """A mail host at ``address`` with a lived-in mailbox, for as long as the block lasts.

    Raises:
        ConfigError: this host cannot filter, or does not have the address.
    """
    password = new_secret()
    imap_host = await ImapHost.open(ACCOUNT, password)
    mailbox = imap_host.mailbox
    for letter in letters(clock.now()):
        await mailbox.deliver(SENT if letter.sent else INBOX, letter.raw, letter.at, *letter.flags)
    tls = server_context(certificate.chain, certificate.key)
    with AdmittingListener(address, admitted=admitted) as imap, AdmittingListener(address, admitted=admitted) as smtp:
        smtp_host = SmtpHost(ACCOUNT, password, mailbox, clock)
        async with imap_host.serving(imap, tls), smtp_host.serving(smtp, tls):
            yield MailHost(mailbox, imap, smtp, password)
