"""Probes of servers that lie, stall, flood or speak something else: a clear outcome each, soon, and one connection."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import cycle, repeat

import pytest

from mooring.config import ControlTarget
from mooring.diagnosis.types import Depth, Exit, Observation, Outcome, Service, Stage, Target, Vantage
from mooring.diagnosis.walk import MOST_BYTES, Limits
from mooring.egress import Traffic
from mooring.grants import TlsMode
from mooring.net.listener import free_port, server_context
from mooring.net.tls import client_context
from tests.egress.exits import SERVER, SOURCES, TIMEOUTS, UNPLUMBED, Exits, Names, Server, serving, stay_silent
from tests.lab.certificates import Authority, Certificate
from tests.probing import Probing, no, question, yes

HOST = "mail.test"
PASSWORD = "a-password-of-ann"
LOGIN = ("ann@mail.test", PASSWORD)
STATIC, DYNAMIC = SOURCES

IMAP, SMTP, CALDAV = Service.IMAP, Service.SMTP, Service.CALDAV
IMPLICIT, STARTTLS = TlsMode.IMPLICIT, TlsMode.STARTTLS

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

#: Short where silence is waited for, since what is waited for here either comes at once or never.
IMPATIENT = Limits(greeting_s=0.4, command_s=0.6, login_s=1.0, leave_s=0.3)
PATIENT = Limits(leave_s=0.3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that this process trusts from now on."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    client_context().load_verify_locations(made.bundle)
    return made


@pytest.fixture(scope="module")
def tls(authority: Authority) -> ssl.SSLContext:
    good = authority.good([HOST])
    return server_context(good.chain, good.key)


def prober(exits: Exits, limits: Limits = PATIENT, **options: object) -> Probing:
    pools = {
        Vantage.STATIC: [STATIC],
        Vantage.DYNAMIC: [DYNAMIC],
        Vantage.OTHER_REGION: ["127.0.1.12", UNPLUMBED],
    }
    return Probing(
        exits.database,
        exits.ledger,
        pools,
        limits=limits,
        timeouts=TIMEOUTS,
        berths=exits.berths,
        **options,  # type: ignore[arg-type]
    )


async def observe(
    exits: Exits,
    handler: Handler,
    service: Service = IMAP,
    mode: TlsMode | None = IMPLICIT,
    *,
    tls: ssl.SSLContext | None = None,
    limits: Limits = PATIENT,
    login: tuple[str, str] | None = None,
    path: str = "",
) -> tuple[Observation, Server]:
    """What a probe sees of this server."""
    async with serving(handler, tls=tls) as server:
        seen = await prober(exits, limits).observe(
            service, HOST, SERVER, STATIC, port=server.port, tls=mode, login=login, path=path
        )
    return seen, server


def says(*words: bytes, then: Handler = stay_silent) -> Handler:
    """A server that speaks first."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for word in words:
            writer.write(word)
            await writer.drain()
        await then(reader, writer)

    return speak


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and close."""


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
            self.sent += len(piece)


@dataclass
class Talks:
    """A server that answers each line by its verb, the tag of IMAP put before; remembers what it heard."""

    greeting: str
    answers: dict[str, str]
    tls: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list[str])

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.greeting}\r\n".encode())
        while line := (await reader.readline()).decode(errors="replace").strip():
            self.heard.append(line)
            words = line.split()
            verb = words[0] if words[0] in self.answers else words[1] if len(words) > 1 else words[0]
            answer = self.answers.get(verb, "TAG OK done").replace("TAG", words[0]).replace("LINE", line)
            writer.write(f"{answer}\r\n".encode())
            if "STARTTLS" in line and self.tls is not None:
                await writer.start_tls(self.tls)
            if verb in {"QUIT", "LOGOUT"}:
                return

    @property
    def verbs(self) -> list[str]:
        """What was asked, without tags and arguments."""
        return [
            line.split()[1] if line.startswith("M") and line[1].isdigit() else line.split()[0] for line in self.heard
        ]


def imap(**answers: str) -> Talks:
    known = {"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR ID\r\nTAG OK"}
    known["LIST"] = '* LIST () "/" INBOX\r\nTAG OK'
    known["EXAMINE"] = "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] ok\r\n* OK [UIDNEXT 9] ok\r\nTAG OK [READ-ONLY] done"
    return Talks("* OK ready", known | answers)


def smtp(greeting: str = "220 mail.test ESMTP", **answers: str) -> Talks:
    known = {"EHLO": "250-mail.test\r\n250-SIZE 1000\r\n250 AUTH PLAIN LOGIN", "AUTH": "235 2.7.0 ok"}
    known |= {"MAIL": "250 ok", "RCPT": "250 ok", "RSET": "250 ok", "QUIT": "221 bye", "STARTTLS": "220 go"}
    return Talks(greeting, known | answers)


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


async def test_imap_to_the_end_and_politely(exits: Exits, tls: ssl.SSLContext) -> None:
    talks = imap()
    seen, _ = await observe(exits, talks, tls=tls, login=LOGIN)
    assert (seen.outcome, seen.stage, seen.depth) == (Outcome.REACHED, Stage.LIST, Depth.FULL)
    assert talks.verbs == ["CAPABILITY", "AUTHENTICATE", "CAPABILITY", "ID", "LIST", "EXAMINE", "LOGOUT"]
    assert "AUTH=PLAIN" in seen.offers


async def test_smtp_to_the_recipient_who_gets_nothing(exits: Exits, tls: ssl.SSLContext) -> None:
    talks = smtp()
    seen, _ = await observe(exits, talks, SMTP, tls=tls, login=LOGIN)
    assert (seen.outcome, seen.stage) == (Outcome.REACHED, Stage.RECIPIENT)
    assert talks.verbs == ["EHLO", "AUTH", "MAIL", "RCPT", "RSET", "QUIT"]
    assert talks.heard[0] == f"EHLO [{STATIC}]"
    assert f"<{LOGIN[0]}>" in talks.heard[3]
    assert {"SIZE 1000", "AUTH=PLAIN"} <= set(seen.offers)


async def test_without_an_address_no_recipient_is_tried(exits: Exits, tls: ssl.SSLContext) -> None:
    talks = smtp()
    seen, _ = await observe(exits, talks, SMTP, tls=tls, login=("ann", PASSWORD))
    assert (seen.outcome, seen.stage) == (Outcome.REACHED, Stage.LOGIN)
    assert talks.verbs == ["EHLO", "AUTH", "QUIT"]
    assert "no recipient" in seen.detail


@pytest.mark.parametrize(
    ("service", "talks", "outcome", "stage", "said"),
    [
        (
            IMAP,
            imap(AUTHENTICATE="TAG NO [AUTHENTICATIONFAILED] Authentication failed."),
            Outcome.CREDENTIALS,
            Stage.LOGIN,
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
        ),
        (
            IMAP,
            imap(AUTHENTICATE="TAG NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded"),
            Outcome.LIMITED,
            Stage.LOGIN,
            "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded",
        ),
        (
            IMAP,
            imap(AUTHENTICATE="TAG NO access from your IP address is restricted: LINE"),
            Outcome.POLICY,
            Stage.LOGIN,
            "NO access from your IP address is restricted: M2 AUTHENTICATE PLAIN ***",
        ),
        (IMAP, imap(EXAMINE="TAG NO no inbox"), Outcome.FAILED, Stage.LIST, "NO no inbox"),
        (IMAP, imap(LIST="* BYE too many connections"), Outcome.LIMITED, Stage.LIST, "BYE too many connections"),
        (
            SMTP,
            smtp(AUTH="535 5.7.8 authentication failed"),
            Outcome.CREDENTIALS,
            Stage.LOGIN,
            "535 5.7.8 authentication failed",
        ),
        (
            SMTP,
            smtp(RCPT="554 5.7.1 Client host rejected: Access denied"),
            Outcome.POLICY,
            Stage.RECIPIENT,
            "554 5.7.1 Client host rejected: Access denied",
        ),
        (SMTP, smtp(MAIL="550 5.1.7 bad sender"), Outcome.FAILED, Stage.RECIPIENT, "550 5.1.7 bad sender"),
        (SMTP, smtp(EHLO="550 5.7.1 go away"), Outcome.POLICY, Stage.CAPABILITY, "550 5.7.1 go away"),
    ],
)
async def test_refusals_in_words(
    exits: Exits,
    tls: ssl.SSLContext,
    service: Service,
    talks: Talks,
    outcome: Outcome,
    stage: Stage,
    said: str,
) -> None:
    seen, server = await observe(exits, talks, service, tls=tls, login=LOGIN)
    assert (seen.outcome, seen.stage, seen.said) == (outcome, stage, said)
    assert PASSWORD not in repr(seen)
    assert server.seen == [STATIC]
    assert talks.verbs[-1] in {"LOGOUT", "QUIT"} or "BYE" in talks.answers.get("LIST", "")


async def test_no_password_is_shown_without_leave(exits: Exits, tls: ssl.SSLContext) -> None:
    talks = imap()
    async with serving(talks, tls=tls) as server:
        probing = prober(exits)
        seen = await probing.observe(
            IMAP, HOST, SERVER, STATIC, port=server.port, tls=IMPLICIT, login=LOGIN, may_login=no
        )
    assert (seen.outcome, seen.stage, seen.depth) == (Outcome.REACHED, Stage.CAPABILITY, Depth.GREETING)
    assert talks.verbs == ["CAPABILITY", "LOGOUT"]
    assert probing.passed == list(seen.passed)


async def test_no_password_is_shown_from_the_addresses_of_others(exits: Exits, tls: ssl.SSLContext) -> None:
    talks = imap()
    async with serving(talks, tls=tls, admitted=["127.0.1.12"]) as server:
        seen = await prober(exits).observe(
            IMAP, HOST, SERVER, "127.0.1.12", port=server.port, tls=IMPLICIT, login=LOGIN, may_login=yes
        )
    assert (seen.outcome, seen.vantage, seen.depth) == (Outcome.REACHED, Vantage.OTHER_REGION, Depth.GREETING)
    assert talks.verbs == ["CAPABILITY", "LOGOUT"]


def answering(answers: dict[str, str], heard: list[str]) -> Handler:
    """A web server: the answer by method and path, each with a whole head."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().strip():
            method, path, _ = line.split()
            length, authorized = 0, ""
            while header := (await reader.readline()).decode().strip():
                name, _, value = header.partition(": ")
                length = int(value) if name.lower() == "content-length" else length
                authorized = " with credentials" if name.lower() == "authorization" else authorized
            await reader.readexactly(length)
            heard.append(f"{method} {path}{authorized}")
            answer = answers.get(f"{method} {path}{authorized}", answers.get(method, "404 Not Found"))
            if not answer:
                return
            status, _, body = answer.partition("\n")
            extra = "".join(f"{h}\r\n" for h in status.split("|")[1:])
            writer.write(
                f"HTTP/1.1 {status.split('|')[0]}\r\nContent-Length: {len(body)}\r\n{extra}\r\n{body}".encode()
            )

    return serve


WANTS_LOGIN = "401 Unauthorized|WWW-Authenticate: Basic realm=x"
WELL_KNOWN = "/.well-known/caldav"


@pytest.mark.parametrize(
    ("answers", "outcome", "stage"),
    [
        ({"OPTIONS": "200 OK|DAV: 1, calendar-access", "PROPFIND": WANTS_LOGIN}, Outcome.REACHED, Stage.CAPABILITY),
        ({"OPTIONS": WANTS_LOGIN, "PROPFIND": WANTS_LOGIN}, Outcome.REACHED, Stage.CAPABILITY),
        ({"PROPFIND": "207 Multi-Status\n<multistatus xmlns='DAV:'/>"}, Outcome.REACHED, Stage.CAPABILITY),
        ({"PROPFIND": "301 Moved|Location: https://elsewhere.test/dav"}, Outcome.REACHED, Stage.CAPABILITY),
        ({"PROPFIND": "301 Moved|Location: /dav/", "PROPFIND /dav/": WANTS_LOGIN}, Outcome.REACHED, Stage.CAPABILITY),
        ({"PROPFIND": f"301 Moved|Location: {WELL_KNOWN}"}, Outcome.BROKEN, Stage.CAPABILITY),
        ({"OPTIONS": "403 Forbidden", "PROPFIND": "403 Forbidden"}, Outcome.POLICY, Stage.CAPABILITY),
        ({"PROPFIND": "451 Unavailable For Legal Reasons"}, Outcome.POLICY, Stage.CAPABILITY),
        ({"PROPFIND": "429 Too Many Requests"}, Outcome.LIMITED, Stage.CAPABILITY),
        ({"OPTIONS": "429 Too Many Requests"}, Outcome.LIMITED, Stage.GREETING),
        ({"PROPFIND": "503 Service Unavailable"}, Outcome.BROKEN, Stage.CAPABILITY),
        ({}, Outcome.OTHER_PROTOCOL, Stage.CAPABILITY),
        ({"OPTIONS": ""}, Outcome.CLOSED, Stage.GREETING),
        ({"OPTIONS": "200 OK", "PROPFIND": ""}, Outcome.BROKEN, Stage.CAPABILITY),
    ],
)
async def test_caldav_as_a_stranger(
    exits: Exits, tls: ssl.SSLContext, answers: dict[str, str], outcome: Outcome, stage: Stage
) -> None:
    heard: list[str] = []
    seen, server = await observe(exits, answering(answers, heard), CALDAV, tls=tls)
    assert (seen.outcome, seen.stage) == (outcome, stage)
    assert not any("credentials" in request for request in heard)
    assert server.seen == [STATIC]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("401 Unauthorized", Outcome.CREDENTIALS), ("403 Forbidden", Outcome.POLICY), ("429 Slow", Outcome.LIMITED)],
)
async def test_caldav_with_credentials_that_are_refused(
    exits: Exits, tls: ssl.SSLContext, status: str, outcome: Outcome
) -> None:
    heard: list[str] = []
    answers = {"PROPFIND": WANTS_LOGIN, f"PROPFIND {WELL_KNOWN} with credentials": status}
    answers["PROPFIND / with credentials"] = status
    seen, server = await observe(exits, answering(answers, heard), CALDAV, tls=tls, login=LOGIN)
    assert (seen.outcome, seen.stage, seen.depth) == (outcome, Stage.LOGIN, Depth.FULL)
    assert server.seen == [STATIC]


async def test_a_close_in_the_middle_is_broken(exits: Exits, tls: ssl.SSLContext) -> None:
    async def greet_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        await reader.readline()

    seen, _ = await observe(exits, greet_and_go, tls=tls)
    assert (seen.outcome, seen.stage) == (Outcome.BROKEN, Stage.CAPABILITY)


async def test_a_closed_port_and_a_filtered_one(exits: Exits) -> None:
    seen = await prober(exits).observe(IMAP, HOST, SERVER, STATIC, port=free_port_of(SERVER), tls=IMPLICIT)
    assert (seen.outcome, seen.icmp, seen.stage) == (Outcome.RESET, None, Stage.CONNECT)
    async with serving(stay_silent, admitted=[DYNAMIC]) as server:
        seen = await prober(exits).observe(IMAP, HOST, SERVER, STATIC, port=server.port, tls=IMPLICIT)
    assert (seen.outcome, seen.icmp, seen.stage, seen.local) == (Outcome.SILENT, None, Stage.CONNECT, "")


async def test_what_is_ours_is_not_the_servers(exits: Exits, server: Server) -> None:
    seen = await prober(exits).observe(IMAP, HOST, SERVER, UNPLUMBED, port=server.port)
    assert (seen.outcome, seen.stage, seen.source_address) == (Outcome.OURS, Stage.CONNECT, UNPLUMBED)
    unknown = prober(exits)
    unknown.exits["gone"] = Exit(Vantage.STATIC, "v3-us-static", "gone", "127.0.1.99")
    seen = await unknown.observe(IMAP, HOST, SERVER, "gone", port=server.port)
    assert seen.outcome is Outcome.OURS
    forbidden = await prober(exits).observe(IMAP, HOST, "169.254.169.254", STATIC, port=443)
    assert forbidden.outcome is Outcome.SPARED
    assert server.seen == []


async def test_no_berth_no_probe(exits: Exits, server: Server) -> None:
    exits.berths.set_limits({f"static-{STATIC}": 1})
    held = await exits.berths.take(f"static-{STATIC}", HOST, patience_s=1)
    seen = await prober(exits).observe(IMAP, HOST, SERVER, STATIC, port=server.port, tls=STARTTLS)
    assert (seen.outcome, server.seen) == (Outcome.SPARED, [])
    held.give_back()


async def test_the_ledger_tells_for_whom(exits: Exits, tls: ssl.SSLContext) -> None:
    await observe(exits, imap(), tls=tls)
    entry = await exits.entry()
    assert (entry.traffic, entry.application_id, entry.environment) == (Traffic.PROBE, "application", "v3-us-static")
    assert (entry.host, entry.remote, entry.source_address) == (HOST, SERVER, STATIC)


@pytest.mark.parametrize(
    ("host", "port", "addresses", "problem"),
    [
        (HOST, 993, (SERVER, "127.0.2.2"), ""),
        ("nowhere.test", 993, (), "no_such_name"),
        ("private.test", 993, (), "private"),
        ("half.test", 993, (), "private"),
    ],
)
async def test_look_ups(exits: Exits, host: str, port: int, addresses: tuple[str, ...], problem: str) -> None:
    names = Names(
        {HOST: [[SERVER, "127.0.2.2"]], "private.test": [["192.168.0.1"]], "half.test": [[SERVER, "10.0.0.1"]]}
    )
    probing = prober(exits, resolve=names)
    found = await probing.prober.look_up(question(Target(IMAP, host, port)), host, port)
    assert (found.host, found.addresses, found.problem) == (host, addresses, problem)
    assert (found.detail == "") == (problem == "")


@pytest.fixture
async def target() -> AsyncGenerator[Server]:
    """A control target, which answers our first source and not the second."""
    async with serving(stay_silent, admitted=[STATIC]) as running:
        yield running


async def control(probing: Probing, source: str, family: int = 4) -> tuple[bool | None, str, str]:
    seen = await probing.prober.control(question(Target(IMAP, HOST, 993)), probing.exits[source], family)
    return seen.works, seen.how, seen.target


async def test_a_control_target_tells_whether_a_source_works(exits: Exits, target: Server) -> None:
    at = ControlTarget(SERVER, target.port)
    probing = prober(exits, targets=[at])
    assert await control(probing, STATIC) == (True, "target", str(at))
    assert await control(probing, UNPLUMBED) == (False, "exit", "")
    assert await control(probing, STATIC, family=6) == (None, "", "")
    assert target.seen == [STATIC]


async def test_many_who_ask_at_once_cost_a_control_target_one_connection(exits: Exits, target: Server) -> None:
    probing = prober(exits, targets=[ControlTarget(SERVER, target.port)])
    found = await asyncio.gather(*(control(probing, STATIC) for _ in repeat(None, 20)))
    assert {works for works, _, _ in found} == {True}
    assert target.seen == [STATIC]


async def test_a_control_target_that_does_not_answer(exits: Exits, target: Server) -> None:
    at = ControlTarget(SERVER, free_port_of(SERVER))
    assert await control(prober(exits, targets=[at]), STATIC) == (False, "target", str(at))
    both = [at, ControlTarget(SERVER, target.port)]
    assert (await control(prober(exits, targets=both), STATIC))[0] is True


def free_port_of(address: str) -> int:
    return free_port(IPv4Address(address))


async def test_without_a_control_target_the_ledger_is_asked_and_names_nobody(exits: Exits, server: Server) -> None:
    names = Names({HOST: [[SERVER]], "other.test": [[SERVER]]})
    probing = prober(exits, resolve=names)
    await probing.observe(IMAP, HOST, SERVER, STATIC, port=server.port, tls=STARTTLS)
    assert await control(probing, STATIC) == (None, "", "")
    await probing.observe(IMAP, "other.test", SERVER, STATIC, port=server.port, tls=STARTTLS)
    assert await control(probing, STATIC) == (True, "ledger", "")
    assert await control(probing, DYNAMIC) == (None, "", "")
    seen = await probing.prober.control(question(Target(IMAP, HOST, 993)), probing.exits[STATIC], 4)
    assert "other" not in repr(seen)
