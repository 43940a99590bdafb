"""The demonstration's mail host, spoken to by our own protocol clients."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from mooring.clock import SystemClock
from mooring.demo.authority import Certificate, issue_certificate
from mooring.demo.letters import INBOX, SENT, letters
from mooring.demo.mailhost import MailHost, open_mail_host
from mooring.errors import AuthenticationFailed, ConnectTimeout, ServerRefused
from mooring.net import Endpoint, TcpStream
from mooring.net.connect import connect, open_stream
from mooring.protocols.imap import ImapClient
from mooring.protocols.smtp import SmtpClient

HOST = IPv4Address("127.0.2.50")
STATIC = IPv4Address("127.0.1.50")
DYNAMIC = IPv4Address("127.0.1.51")
LETTER = b"Subject: Hello\r\nFrom: ann@harbour.test\r\nTo: ann@harbour.test\r\n\r\nHow is the tide?\r\n"


class TrustingStream(TcpStream):
    """Trusts the test's own authority, where the real one asks the host's."""

    __slots__ = ("context",)

    context: ssl.SSLContext

    async def start_tls(self, *, timeout_s: float | None = None) -> None:
        async with asyncio.timeout(timeout_s):
            await self._writer.start_tls(self.context, server_hostname=self.host)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return issue_certificate(tmp_path, HOST, SystemClock().now())


@pytest.fixture
async def host(certificate: Certificate) -> AsyncGenerator[MailHost]:
    async with open_mail_host(HOST, [STATIC], certificate, SystemClock()) as running:
        yield running


class Visitor:
    """Opens sessions with the mail host, and closes whatever they leave open."""

    def __init__(self, host: MailHost, certificate: Certificate, stack: AsyncExitStack) -> None:
        self._host = host
        self._context = ssl.create_default_context(cafile=str(certificate.authority))
        self._stack = stack

    async def stream(self, where: Endpoint, source: IPv4Address = STATIC) -> TrustingStream:
        """An open stream from this source, still in clear."""
        sock = await connect(where, local=source, timeout_s=0.5)
        stream = await open_stream(sock, host=where.host, peer=where, stream_type=TrustingStream)
        stream.context = self._context
        self._stack.push_async_callback(stream.aclose)
        return stream

    async def imap(self, password: str | None = None) -> ImapClient:
        """A logged-in IMAP session."""
        stream = await self.stream(self._host.imap.endpoint)
        await stream.start_tls(timeout_s=5)
        client = ImapClient(stream)
        await client.greeting()
        await client.login(self._host.address, password or self._host.password, timeout_s=5)
        return client

    async def greeted(self) -> SmtpClient:
        """A submission session, still in clear."""
        client = SmtpClient(await self.stream(self._host.smtp.endpoint))
        await client.greet("[127.0.1.50]", timeout_s=5, command_timeout_s=5)
        return client

    async def smtp(self, password: str | None = None) -> SmtpClient:
        """A logged-in submission session."""
        client = await self.greeted()
        await client.start_tls(timeout_s=5, command_timeout_s=5)
        await client.login(self._host.address, password or self._host.password, timeout_s=5)
        return client


@pytest.fixture
async def visitor(host: MailHost, certificate: Certificate) -> AsyncGenerator[Visitor]:
    async with AsyncExitStack() as stack:
        yield Visitor(host, certificate, stack)


async def test_the_mailbox_is_there_byte_for_byte(host: MailHost, visitor: Visitor) -> None:
    client = await visitor.imap()
    for folder, sent in ((INBOX, False), (SENT, True)):
        await client.select(folder, read_only=True)
        bodies = {message.body async for message in client.fetch(await client.search())}
        written = [letter.raw for letter in letters(SystemClock().now()) if letter.sent is sent]
        assert len(bodies) == len(written)
        assert bodies == set(await host.mailbox.letters(folder))
    await client.logout()


async def test_what_is_submitted_arrives_and_wakes_who_idles(host: MailHost, visitor: Visitor) -> None:
    reader, sender = await visitor.imap(), await visitor.smtp()
    before = (await reader.select(INBOX, read_only=True)).exists
    idling = asyncio.create_task(reader.idle(timeout_s=10))
    await sender.send(host.address, [host.address], LETTER)
    await idling
    assert reader.mailbox is not None
    assert reader.mailbox.exists == before + 1
    arrived = (await host.mailbox.letters(INBOX))[-1]
    assert arrived.startswith(b"Return-Path: <ann@harbour.test>\r\nReceived: from ")
    assert arrived.endswith(LETTER)
    await sender.quit()
    await reader.logout()


async def test_a_copy_can_be_put_into_sent(host: MailHost, visitor: Visitor) -> None:
    client = await visitor.imap()
    await client.append(SENT, LETTER, flags=["\\Seen"])
    assert (await host.mailbox.letters(SENT))[-1] == LETTER
    await client.logout()


async def test_mail_for_others_is_refused(host: MailHost, visitor: Visitor) -> None:
    client = await visitor.smtp()
    with pytest.raises(ServerRefused, match="own mailbox"):
        await client.send(host.address, ["somebody@else.test"], LETTER)
    await client.quit()


async def test_a_wrong_password_opens_neither_service(host: MailHost, visitor: Visitor) -> None:
    with pytest.raises(AuthenticationFailed):
        await visitor.imap("wrong")
    with pytest.raises(AuthenticationFailed):
        await visitor.smtp("wrong")


async def test_a_password_in_clear_is_not_taken(host: MailHost, visitor: Visitor) -> None:
    client = await visitor.greeted()
    assert client.offers is not None
    assert client.offers.mechanisms == ()
    await client.quit()


async def test_only_the_admitted_reach_it_and_it_knows_who_did(host: MailHost, visitor: Visitor) -> None:
    for service in (host.imap, host.smtp):
        with pytest.raises(ConnectTimeout):
            await visitor.stream(service.endpoint, DYNAMIC)
    await (await visitor.imap()).logout()
    await (await visitor.smtp()).quit()
    assert [(c.service, c.source) for c in host.connections] == [("imap", str(STATIC)), ("smtp", str(STATIC))]


def test_nothing_that_is_shown_of_it_holds_the_password(certificate: Certificate) -> None:
    async def shown() -> tuple[str, str]:
        async with open_mail_host(HOST, [STATIC], certificate, SystemClock()) as running:
            return repr(running), running.password

    text, password = asyncio.run(shown())
    assert password not in text
