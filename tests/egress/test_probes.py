"""Probes of servers that lie, stall, flood or speak something else: a clear outcome each, soon, and one connection."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import pytest

from mooring.diagnosis.probes.walk import MOST_BYTES
from mooring.diagnosis.types import Depth, Outcome, Service, Stage
from mooring.grants import TlsMode
from mooring.net.listener import server_context
from tests.egress.exits import Exits, stay_silent
from tests.egress.probed import (
    CALDAV,
    HOST,
    IMAP,
    IMPATIENT,
    IMPLICIT,
    LOGIN,
    SMTP,
    STARTTLS,
    STATIC,
    Handler,
    Talks,
    authority,
    hang_up,
    imap,
    observe,
    says,
    smtp,
    tls,
)
from tests.lab.certificates import Authority, Certificate

__all__ = ["authority", "tls"]


@dataclass
class Floods:
    """A server that talks for as long as somebody listens.

    Attributes:
        sent: bytes.
    """

    greeting: bytes
    endless: Sequence[bytes]
    after: int = 0
    sent: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        for _ in range(self.after):
            await reader.readline()
        for piece in cycle(self.endless):
            writer.write(piece)
            await writer.drain()
            # A connection that was cut a moment ago takes everything, and lets nobody else have a turn.
            await asyncio.sleep(0)
            self.sent += len(piece)


@pytest.mark.parametrize(
    ("mode", "handler", "outcome", "stage"),
    [
        (IMPLICIT, stay_silent, Outcome.MUTE, Stage.TLS),
        (STARTTLS, stay_silent, Outcome.MUTE, Stage.GREETING),
        (IMPLICIT, hang_up, Outcome.CLOSED, Stage.TLS),
        (STARTTLS, hang_up, Outcome.CLOSED, Stage.GREETING),
    ],
)
@pytest.mark.parametrize("service", [IMAP, SMTP])
async def test_accepted_and_then_nothing(
    exits: Exits, service: Service, mode: TlsMode, handler: Handler, outcome: Outcome, stage: Stage
) -> None:
    seen, _ = await observe(exits, handler, service, mode, limits=IMPATIENT)
    assert (seen.outcome, seen.stage, seen.tls, seen.passed) == (outcome, stage, mode, (Stage.CONNECT,))
    assert seen.local.startswith(f"{STATIC}:")
    assert seen.rtt_ms is not None
    assert seen.detail != ""


@pytest.mark.parametrize("service", [IMAP, SMTP, CALDAV])
async def test_silence_behind_tls(exits: Exits, tls: ssl.SSLContext, service: Service) -> None:
    seen, server = await observe(exits, stay_silent, service, tls=tls, limits=IMPATIENT)
    assert (seen.outcome, seen.stage) == (Outcome.MUTE, Stage.GREETING)
    assert seen.certificate is not None
    assert server.seen == [STATIC]


@pytest.mark.parametrize("service", [IMAP, SMTP, CALDAV])
async def test_a_close_behind_tls(exits: Exits, tls: ssl.SSLContext, service: Service) -> None:
    seen, server = await observe(exits, hang_up, service, tls=tls)
    assert (seen.outcome, seen.stage) == (Outcome.CLOSED, Stage.GREETING)
    assert server.seen == [STATIC]


@pytest.mark.parametrize(
    ("words", "outcome", "spoken"),
    [
        (b"* OK IMAP ready\r\n", Outcome.NOT_TLS, "imap"),
        (b"220 mail.test ESMTP\r\n", Outcome.NOT_TLS, "smtp"),
        (b"+OK ready\r\n", Outcome.NOT_TLS, "pop3"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Outcome.NOT_TLS, "http"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Outcome.NOT_TLS, "ssh"),
        (b"nothing that anybody knows\r\n", Outcome.NOT_TLS, "unknown"),
        (b"* BYE Too many connections from your IP\r\n", Outcome.LIMITED, "imap"),
        (b"* BYE you are not allowed here\r\n", Outcome.POLICY, "imap"),
        (b"554 5.7.1 Client host blocked using zen.spamhaus.org\r\n", Outcome.LISTED, "smtp"),
    ],
)
async def test_words_in_clear_where_tls_is_due(exits: Exits, words: bytes, outcome: Outcome, spoken: str) -> None:
    """One connection tells it: what was heard in the handshake is kept."""
    seen, server = await observe(exits, says(words))
    assert (seen.outcome, seen.stage, seen.spoken) == (outcome, Stage.TLS, spoken)
    assert seen.said == ("" if spoken == "unknown" else words.decode().strip())
    assert server.seen == [STATIC]


@pytest.mark.parametrize(
    ("service", "words", "outcome", "spoken"),
    [
        (IMAP, b"220 mail.test ESMTP\r\n", Outcome.OTHER_PROTOCOL, "smtp"),
        (SMTP, b"* OK ready\r\n", Outcome.OTHER_PROTOCOL, "imap"),
        (SMTP, b"\x00\x01\xff", Outcome.OTHER_PROTOCOL, "unknown"),
        (IMAP, b"* PREAUTH you are in\r\n", Outcome.OTHER_PROTOCOL, "unknown"),
        (IMAP, b"* BYE no access from your network\r\n", Outcome.POLICY, ""),
        (SMTP, b"554 5.7.1 Client host rejected: Access denied\r\n", Outcome.POLICY, ""),
        (SMTP, b"421 4.7.0 too many connections\r\n", Outcome.LIMITED, ""),
        (SMTP, b"550 listed in zen.spamhaus.org\r\n", Outcome.LISTED, ""),
        (SMTP, b"ESMTP without a number\r\n", Outcome.OTHER_PROTOCOL, "unknown"),
    ],
)
@pytest.mark.parametrize("mode", [IMPLICIT, STARTTLS])
async def test_first_words(
    exits: Exits,
    tls: ssl.SSLContext,
    mode: TlsMode,
    service: Service,
    words: bytes,
    outcome: Outcome,
    spoken: str,
) -> None:
    seen, server = await observe(
        exits, says(words), service, mode, tls=tls if mode is IMPLICIT else None, limits=IMPATIENT
    )
    assert (seen.outcome, seen.stage, seen.spoken) == (outcome, Stage.GREETING, spoken)
    assert server.seen == [STATIC]


async def test_a_refusal_in_smtp_is_taken_leave_of(exits: Exits) -> None:
    turned_away = smtp("554 5.7.1 not you")
    seen, _ = await observe(exits, turned_away, SMTP, STARTTLS)
    assert (seen.outcome, seen.said, turned_away.heard) == (Outcome.POLICY, "554 5.7.1 not you", ["QUIT"])


@pytest.mark.parametrize("service", [IMAP, SMTP])
async def test_a_server_that_waits_for_tls_on_a_port_for_starttls(
    exits: Exits, tls: ssl.SSLContext, service: Service
) -> None:
    seen, _ = await observe(exits, stay_silent, service, STARTTLS, tls=tls, limits=IMPATIENT)
    assert (seen.outcome, seen.stage, seen.spoken) == (Outcome.NO_STARTTLS, Stage.GREETING, "tls")
    assert seen.certificate is not None


@pytest.mark.parametrize(("service", "talks"), [(IMAP, imap()), (SMTP, smtp())], ids=["imap", "smtp"])
async def test_no_starttls_is_offered_and_no_password_shown(exits: Exits, service: Service, talks: Talks) -> None:
    seen, _ = await observe(exits, talks, service, STARTTLS, login=LOGIN)
    assert (seen.outcome, seen.stage) == (Outcome.NO_STARTTLS, Stage.TLS)
    assert talks.verbs[-1] in {"LOGOUT", "QUIT"}
    assert not {"AUTH", "AUTHENTICATE", "LOGIN"} & set(talks.verbs)
    assert seen.depth is Depth.GREETING


async def test_on_an_odd_port_the_mode_is_found_out(exits: Exits, tls: ssl.SSLContext) -> None:
    seen, _ = await observe(exits, imap(), IMAP, None, tls=tls)
    assert (seen.outcome, seen.tls) == (Outcome.REACHED, IMPLICIT)
    upgrading = imap(CAPABILITY="* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK")
    upgrading.tls = tls
    seen, server = await observe(exits, upgrading, IMAP, None)
    assert (seen.outcome, seen.stage, seen.tls) == (Outcome.REACHED, Stage.TLS, STARTTLS)
    assert seen.passed == (Stage.CONNECT, Stage.GREETING, Stage.CAPABILITY, Stage.TLS)
    assert server.seen == [STATIC, STATIC]
    seen, server = await observe(exits, says(b"220 mail.test ESMTP\r\n"), IMAP, None)
    assert (seen.outcome, seen.spoken, server.seen) == (Outcome.OTHER_PROTOCOL, "smtp", [STATIC])


FLOODS = {
    "imap: a banner without end": (IMAP, Floods(b"* OK ", [b"A" * 65536]), Outcome.OTHER_PROTOCOL, Stage.GREETING),
    "imap: bytes without end": (IMAP, Floods(b"", [b"A" * 65536]), Outcome.OTHER_PROTOCOL, Stage.GREETING),
    "imap: lines without end": (
        IMAP,
        Floods(b"* OK ready\r\n", [b"* OK more\r\n" * 4096], after=1),
        Outcome.BROKEN,
        Stage.CAPABILITY,
    ),
    "smtp: a banner without end": (SMTP, Floods(b"220 ", [b"A" * 65536]), Outcome.OTHER_PROTOCOL, Stage.GREETING),
    "smtp: a greeting of lines without end": (
        SMTP,
        Floods(b"", [b"220-hello\r\n" * 4096]),
        Outcome.OTHER_PROTOCOL,
        Stage.GREETING,
    ),
    "smtp: offers without end": (
        SMTP,
        Floods(b"220 ready\r\n", [b"250-X\r\n" * 4096], after=1),
        Outcome.BROKEN,
        Stage.CAPABILITY,
    ),
    "caldav: a head without end": (
        CALDAV,
        Floods(b"HTTP/1.1 200 OK\r\n", [b"X-Y: z\r\n" * 4096], after=1),
        Outcome.OTHER_PROTOCOL,
        Stage.GREETING,
    ),
    "caldav: a body without end": (
        CALDAV,
        Floods(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", [b"A" * 65536], after=1),
        Outcome.OTHER_PROTOCOL,
        Stage.GREETING,
    ),
}


@pytest.mark.parametrize(("service", "flood", "outcome", "stage"), FLOODS.values(), ids=FLOODS.keys())
async def test_floods_end_soon(
    exits: Exits, tls: ssl.SSLContext, service: Service, flood: Floods, outcome: Outcome, stage: Stage
) -> None:
    seen, _ = await observe(exits, flood, service, tls=tls)
    assert (seen.outcome, seen.stage) == (outcome, stage)
    # What is read, and what the kernel and TLS hold on both sides.
    assert flood.sent < MOST_BYTES + 16 * 1024 * 1024
    assert len(seen.said) <= 256


async def test_a_flood_in_clear_where_tls_is_due(exits: Exits) -> None:
    flood = Floods(b"* OK ", [b"A" * 65536])
    seen, _ = await observe(exits, flood)
    assert (seen.outcome, seen.spoken) == (Outcome.NOT_TLS, "imap")
    assert len(seen.said) <= 256


@pytest.mark.parametrize(
    ("made", "problem", "names"),
    [
        (lambda a: a.expired([HOST]), "certificate has expired", (HOST,)),
        (lambda a: a.self_signed([HOST]), "self-signed certificate", (HOST,)),
        (lambda a: a.wrong_name(), "not valid for 'mail.test'", ("someone-else.test",)),
    ],
    ids=["expired", "self-signed", "wrong name"],
)
@pytest.mark.parametrize("mode", [IMPLICIT, STARTTLS])
async def test_a_certificate_that_does_not_verify_is_looked_at_and_nothing_is_said(
    exits: Exits,
    authority: Authority,
    made: Callable[[Authority], Certificate],
    problem: str,
    names: tuple[str, ...],
    mode: TlsMode,
) -> None:
    certificate = made(authority)
    context = server_context(certificate.chain, certificate.key)
    talks = imap(CAPABILITY="* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK")
    if mode is STARTTLS:
        talks.tls = context
    seen, server = await observe(exits, talks, IMAP, mode, tls=context if mode is IMPLICIT else None, login=LOGIN)
    assert (seen.outcome, seen.stage) == (Outcome.CERTIFICATE, Stage.TLS)
    assert seen.certificate is not None
    assert problem in seen.certificate.problem
    assert seen.certificate.names == names
    assert (len(seen.certificate.spki), seen.certificate.issuer != "") == (64, True)
    assert server.seen == [STATIC]
    assert talks.verbs == ([] if mode is IMPLICIT else ["CAPABILITY", "STARTTLS"])


async def test_an_alert(exits: Exits) -> None:
    async def deny(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        # A fatal alert, access_denied (RFC 8446 §6).
        writer.write(b"\x15\x03\x03\x00\x02\x02\x31")
        await reader.read()

    seen, server = await observe(exits, deny)
    assert (seen.outcome, seen.stage, server.seen) == (Outcome.ALERT, Stage.TLS, [STATIC])
    assert "ACCESS_DENIED" in seen.detail


async def test_a_close_in_the_middle_is_broken(exits: Exits, tls: ssl.SSLContext) -> None:
    async def greet_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        await reader.readline()

    seen, _ = await observe(exits, greet_and_go, tls=tls)
    assert (seen.outcome, seen.stage) == (Outcome.BROKEN, Stage.CAPABILITY)
