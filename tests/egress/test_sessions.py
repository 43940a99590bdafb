"""Sessions through the real dialer: how TLS begins, what a server does instead of greeting, and what is said of it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from mooring.egress import Caller, Traffic
from mooring.errors import ProviderFailure, SourceUnavailable, TargetNotAllowed
from mooring.grants import CalendarServer, Credentials, Server, Sessions, Settings, TlsMode, Way
from mooring.grants import verify as verification
from mooring.net.tls import client_context
from tests.egress.exits import SERVER, SOURCES, STATIC, UNPLUMBED, Exits, bound, serving
from tests.protocol.smtp.fake import SILENCE, FakeServer
from tests.waiting import until_async

PASSWORD = "a-password-of-ann"
WAY = Way(Traffic.AUTH, STATIC, Caller("application", "subject"))
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Imap:
    """A server that follows a script of answers by verb; STARTTLS where it has a context.

    Attributes:
        heard: the commands, in order.
    """

    def __init__(self, *, greeting: str = "* OK ready", tls: ssl.SSLContext | None = None, **answers: str) -> None:
        self.greeting = greeting
        self.tls = tls
        self.answers = answers
        self.heard: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.greeting:
            writer.write(f"{self.greeting}\r\n".encode())
        while line := (await reader.readline()).decode(errors="replace"):
            tag, verb, *_ = line.split()
            self.heard.append(verb)
            writer.write(self._answer(tag, verb, line).encode())
            if verb == "STARTTLS" and self.tls is not None:
                await writer.start_tls(self.tls)

    def _answer(self, tag: str, verb: str, line: str) -> str:
        if verb in self.answers:
            return f"{tag} {self.answers[verb].format(line=line.strip())}\r\n"
        match verb:
            case "CAPABILITY":
                offer = " STARTTLS LOGINDISABLED" if self.tls and "STARTTLS" not in self.heard else ""
                return f"* CAPABILITY IMAP4rev1{offer}\r\n{tag} OK\r\n"
            case "LIST":
                return f'* LIST () "/" INBOX\r\n{tag} OK\r\n'
            case _:
                return f"{tag} OK\r\n"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A certificate of the server that our side trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authorities.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authorities.pem"))
    client_context.cache_clear()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(SERVER).configure_cert(context)
    yield context
    client_context.cache_clear()


@asynccontextmanager
async def imap(served: Serve, tls: ssl.SSLContext | None = None, mode: TlsMode | None = None) -> AsyncGenerator[Server]:
    """The server, as settings name it."""
    async with serving(served, address=SERVER, tls=tls) as running:
        yield Server(SERVER, running.port, "ann", mode)


async def failure(opening: Awaitable[object]) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        await opening
    assert PASSWORD not in f"{caught.value.message} {caught.value.server_said} {caught.value.hint}"
    return caught.value


@pytest.fixture
def sessions(exits: Exits) -> Sessions:
    return Sessions(exits.dialer())


async def test_tls_from_the_first_byte_is_found_out_on_an_odd_port(sessions: Sessions, tls: ssl.SSLContext) -> None:
    served = Imap()
    async with imap(served, tls) as server:
        client, attempt, mode = await sessions.imap(WAY, server, PASSWORD)
        await client.aclose()
    assert mode is TlsMode.IMPLICIT
    assert (attempt.source, served.heard[:2]) == (SOURCES[0], ["CAPABILITY", "LOGIN"])


async def test_a_server_that_answers_in_clear_is_asked_for_starttls(
    sessions: Sessions, exits: Exits, tls: ssl.SSLContext
) -> None:
    served = Imap(tls=tls)
    async with imap(served) as server:
        client, _, mode = await sessions.imap(WAY, server, PASSWORD)
        await client.aclose()
    assert mode is TlsMode.STARTTLS
    assert served.heard.index("STARTTLS") < served.heard.index("LOGIN")
    assert [(e.outcome, e.cause) for e in await exits.entries()] == [("failed", "not_tls"), ("opened", "")]


async def test_what_is_said_of_tls_is_not_tried_otherwise(sessions: Sessions, tls: ssl.SSLContext) -> None:
    async with imap(Imap(tls=tls), mode=TlsMode.IMPLICIT) as server:
        error = await failure(sessions.imap(WAY, server, PASSWORD))
    assert (error.stage, error.reason, error.source, error.refused) == ("tls", "not_tls", SOURCES[0], True)


async def test_without_starttls_no_password_is_sent(sessions: Sessions) -> None:
    served = Imap()
    async with imap(served, mode=TlsMode.STARTTLS) as server:
        error = await failure(sessions.imap(WAY, server, PASSWORD))
    assert (error.stage, error.reason) == ("tls", "protocol")
    assert "STARTTLS" in error.message
    assert served.heard == ["CAPABILITY"]


@pytest.mark.parametrize(
    ("greeting", "reason", "said"),
    [
        ("* BYE too many connections from 127.0.1.10", "refused", "BYE too many connections from 127.0.1.10"),
        ("* BYE [UNAVAILABLE] later", "refused", "BYE [UNAVAILABLE] later"),
        ("* PREAUTH welcome", "protocol", ""),
        ("220 mx.test ESMTP", "protocol", ""),
        ("\x00\xff\r\n\r\n", "protocol", ""),
    ],
)
async def test_another_greeting_is_told_whole(
    sessions: Sessions, tls: ssl.SSLContext, greeting: str, reason: str, said: str
) -> None:
    async with imap(Imap(greeting=greeting), tls) as server:
        error = await failure(sessions.imap(WAY, server, PASSWORD))
    assert (error.stage, error.reason, error.server_said) == ("greeting", reason, said)
    assert error.source == SOURCES[0]


async def test_a_server_that_hangs_up_instead_of_greeting(sessions: Sessions, tls: ssl.SSLContext) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with imap(hang_up, tls) as server:
        error = await failure(sessions.imap(WAY, server, PASSWORD))
    assert (error.stage, error.reason, error.refused) == ("greeting", "closed", False)
    assert "static-ips" in error.hint


async def test_a_refused_login_is_told_in_the_servers_words_without_the_password(
    sessions: Sessions, tls: ssl.SSLContext
) -> None:
    served = Imap(LOGIN="NO [AUTHENTICATIONFAILED] not with {line}")
    async with imap(served, tls) as server:
        error = await failure(sessions.imap(WAY, server, PASSWORD))
    assert (error.stage, error.reason, error.refused) == ("login", "authentication", True)
    assert error.server_said.startswith("NO [AUTHENTICATIONFAILED] not with")
    assert "***" in error.server_said


@pytest.mark.parametrize("answer", ["BAD what?", "NO not now"])
async def test_a_server_that_does_not_want_to_know_who_we_are_is_used_all_the_same(
    sessions: Sessions, tls: ssl.SSLContext, answer: str
) -> None:
    served = Imap(greeting="* OK [CAPABILITY IMAP4rev1 ID] ready", LOGIN="OK [CAPABILITY IMAP4rev1 ID]", ID=answer)
    async with imap(served, tls) as server:
        client, _, _ = await sessions.imap(WAY, server, PASSWORD)
        assert [mailbox.name for mailbox in await client.list()] == ["INBOX"]
        await client.aclose()
    assert served.heard == ["LOGIN", "ID", "LIST"]


async def test_nothing_is_left_open_after_a_failure(sessions: Sessions, exits: Exits, tls: ssl.SSLContext) -> None:
    async with imap(Imap(LOGIN="NO no"), tls) as server:
        await failure(sessions.imap(WAY, server, PASSWORD))
    assert (await exits.entry()).closed_at is not None


async def test_what_is_ours_is_not_blamed_on_the_server(exits: Exits, tls: ssl.SSLContext) -> None:
    async with imap(Imap(), tls) as server:
        with pytest.raises(SourceUnavailable):
            await Sessions(exits.dialer(bound(UNPLUMBED))).imap(WAY, server, PASSWORD)
        with pytest.raises(TargetNotAllowed):
            await Sessions(exits.dialer(allow=())).imap(WAY, server, PASSWORD)


async def test_smtp_says_who_we_are_by_the_address_that_is_seen(sessions: Sessions, tls: ssl.SSLContext) -> None:
    fake = FakeServer(tls=tls)
    async with serving(fake.serve, address=SERVER) as running:
        client, attempt, mode = await sessions.smtp(WAY, Server(SERVER, running.port, "ann"), PASSWORD)
        await client.quit()
    assert (mode, attempt.source) == (TlsMode.STARTTLS, SOURCES[0])
    assert fake.lines[0] == f"EHLO [{SOURCES[0]}]"
    assert [line.split()[0] for line in fake.lines[:4]] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


@pytest.mark.parametrize("begins", list(TlsMode))
async def test_an_smtp_session_that_has_ended_holds_no_berth(
    exits: Exits, sessions: Sessions, tls: ssl.SSLContext, begins: TlsMode
) -> None:
    fake = FakeServer(tls=tls if begins is TlsMode.STARTTLS else None)
    async with serving(fake.serve, address=SERVER, tls=tls if begins is TlsMode.IMPLICIT else None) as running:
        client, _, _ = await sessions.smtp(WAY, Server(SERVER, running.port, "ann", begins), PASSWORD)
        assert [taken for taken, _ in exits.berths.counts().values()] == [1]
        await client.quit()

        async def none_is_taken() -> bool:
            return not exits.berths.counts()

        await until_async(none_is_taken, timeout_s=5, what="the berth is given back")


async def test_a_refused_smtp_login(sessions: Sessions, tls: ssl.SSLContext) -> None:
    fake = FakeServer({"AUTH": f"535 5.7.8 not with {PASSWORD}\r\n".encode()})
    async with serving(fake.serve, address=SERVER, tls=tls) as running:
        error = await failure(sessions.smtp(WAY, Server(SERVER, running.port, "ann"), PASSWORD))
    assert (error.stage, error.reason, error.server_said) == ("login", "authentication", "535 5.7.8 not with [removed]")


async def test_all_servers_of_an_account_are_tried(sessions: Sessions, tls: ssl.SSLContext) -> None:
    fake, served = FakeServer(), Imap()
    async with imap(served, tls) as imap_server, serving(fake.serve, address=SERVER, tls=tls) as smtp:
        settings = Settings(imap=imap_server, smtp=Server(SERVER, smtp.port, "ann"))
        found = (await verification.verify(sessions, WAY, settings, Credentials(PASSWORD, PASSWORD))).settings
    assert found.imap.tls is TlsMode.IMPLICIT
    assert found.smtp is not None
    assert found.smtp.tls is TlsMode.IMPLICIT
    assert served.heard[-2:] == ["LIST", "LOGOUT"]
    assert fake.lines[-1] == "QUIT"


async def test_the_first_server_that_fails_is_the_one_that_is_told(sessions: Sessions, tls: ssl.SSLContext) -> None:
    fake = FakeServer({"GREETING": b"554 5.7.1 go away\r\n"})
    async with imap(Imap(), tls) as imap_server, serving(fake.serve, address=SERVER, tls=tls) as smtp:
        settings = Settings(imap=imap_server, smtp=Server(SERVER, smtp.port, "ann"))
        error = await failure(verification.verify(sessions, WAY, settings, Credentials(PASSWORD, PASSWORD)))
    assert (error.stage, error.server_said) == ("greeting", "554 5.7.1 go away")
    assert error.port != settings.imap.port


async def test_who_takes_too_long_is_told_with_stage_and_source(exits: Exits, tls: ssl.SSLContext) -> None:
    fake = FakeServer({"GREETING": SILENCE})
    async with imap(Imap(), tls) as imap_server, serving(fake.serve, address=SERVER, tls=tls) as smtp:
        settings = Settings(imap=imap_server, smtp=Server(SERVER, smtp.port, "ann"))
        checked = verification.verify(
            Sessions(exits.dialer()), WAY, settings, Credentials(PASSWORD, PASSWORD), total_s=1.0
        )
        error = await failure(checked)
    assert (error.stage, error.reason, error.source) == ("greeting", "timeout", SOURCES[0])
    assert error.port != settings.imap.port


async def test_calendars_are_tried_by_the_same_way(exits: Exits, tls: ssl.SSLContext) -> None:
    async with imap(Imap(), tls) as imap_server, serving(Imap(), address=SERVER) as dav:
        url = f"https://{SERVER}:{dav.port}/"
        settings = Settings(imap=imap_server, caldav=CalendarServer(url, "ann"))
        error = await failure(
            verification.verify(Sessions(exits.dialer()), WAY, settings, Credentials(PASSWORD, "", PASSWORD))
        )
    assert (error.stage, error.reason) == ("tls", "not_tls")
    assert error.port != settings.imap.port
    assert {entry.traffic for entry in await exits.entries()} == {"auth"}


async def test_a_calendar_server_that_refuses_is_told_with_the_source(exits: Exits, tls: ssl.SSLContext) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")

    async with imap(Imap(), tls) as imap_server, serving(refuse, address=SERVER, tls=tls) as dav:
        settings = Settings(imap=imap_server, caldav=CalendarServer(f"https://{SERVER}:{dav.port}/", "ann"))
        error = await failure(
            verification.verify(Sessions(exits.dialer()), WAY, settings, Credentials(PASSWORD, "", PASSWORD))
        )
    assert (error.stage, error.reason, error.refused) == ("calendar", "authentication", True)
    assert (error.port, error.source) == (dav.port, SOURCES[0])
