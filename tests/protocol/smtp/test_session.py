"""Greeting, EHLO, STARTTLS and login: each step fails as itself, and nothing secret is said in clear."""

import base64

import pytest
import trustme

from mooring.errors import (
    AuthenticationFailed,
    ConnectionLost,
    InvalidRequest,
    MooringError,
    ReadTimeout,
    RemoteProtocolError,
    TLSFailed,
)
from mooring.net.tls import client_context
from mooring.protocols.smtp import NotEncrypted, NotOffered, SmtpClient, SmtpRefused, StartTlsMissing, Step
from tests.protocol.smtp.conftest import server_tls
from tests.protocol.smtp.fake import DROP, EHLO, SILENCE, FakeServer, dialled

NAME = "client.test"
PASSWORD = "correct horse"


async def test_greet_learns_what_is_offered() -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        offers = await client.greet(NAME)
        await client.quit()
    assert offers.size_limit == 100000
    assert offers.mechanisms == ("PLAIN", "LOGIN")
    assert "8BITMIME" in offers
    assert "SMTPUTF8" not in offers
    assert fake.lines == ["EHLO client.test", "QUIT"]


async def test_greeting_in_pieces_and_several_lines() -> None:
    async with dialled(FakeServer({"GREETING": b"220-mx.test\r\n220-no spam\r\n220 go\r\n"})) as stream:
        reply = await SmtpClient(stream).greeting()
    assert reply.text == "mx.test\nno spam\ngo"


@pytest.mark.parametrize(
    ("greeting", "code", "enhanced", "permanent"),
    [
        (b"554 5.7.1 Client host [192.0.2.1] rejected: Access denied\r\n", "554", "5.7.1", True),
        (b"421 4.7.0 too many connections\r\n", "421", "4.7.0", False),
        (b"521 no mail here\r\n", "521", "", True),
    ],
)
async def test_refused_in_the_greeting(greeting: bytes, code: str, enhanced: str, permanent: bool) -> None:
    async with dialled(FakeServer({"GREETING": greeting})) as stream:
        with pytest.raises(SmtpRefused) as refused:
            await SmtpClient(stream).greet(NAME)
    assert refused.value.step is Step.GREETING
    assert (refused.value.code, refused.value.answer.enhanced, refused.value.permanent) == (code, enhanced, permanent)
    assert refused.value.reply == greeting.decode().strip()


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", RemoteProtocolError),
        (b"* OK IMAP4rev1 ready\r\n", RemoteProtocolError),
        (b"\x00\xff\xfe\r\n", RemoteProtocolError),
        (b"999 what\r\n", RemoteProtocolError),
        (b"250 ok\r\n", RemoteProtocolError),
        (b"220" + b"x" * 40_000, RemoteProtocolError),
        (b"220-half", ReadTimeout),
        (SILENCE, ReadTimeout),
        (DROP, ConnectionLost),
    ],
)
async def test_what_is_no_greeting(greeting: bytes, expected: type[MooringError]) -> None:
    async with dialled(FakeServer({"GREETING": greeting})) as stream:
        client = SmtpClient(stream)
        with pytest.raises(expected):
            await client.greet(NAME, timeout_s=0.1)
        assert not client.is_usable
        with pytest.raises(ConnectionLost):
            await client.ehlo(NAME)


async def test_helo_for_a_server_without_ehlo() -> None:
    fake = FakeServer({"EHLO": b"502 unimplemented\r\n"})
    async with dialled(fake) as stream:
        offers = await SmtpClient(stream).greet(NAME)
    assert not offers.extensions
    assert fake.lines == ["EHLO client.test", "HELO client.test"]


async def test_ehlo_refused_by_policy_is_no_reason_for_helo() -> None:
    fake = FakeServer({"EHLO": b"550 5.7.1 bad name\r\n"})
    async with dialled(fake) as stream:
        with pytest.raises(SmtpRefused) as refused:
            await SmtpClient(stream).greet(NAME)
    assert refused.value.step is Step.EHLO
    assert fake.lines == ["EHLO client.test"]


async def test_implicit_tls_needs_no_starttls(trusted: trustme.CA) -> None:
    fake = FakeServer({"EHLO": b"250-mx.test\r\n250 AUTH PLAIN\r\n"}, implicit_tls=server_tls(trusted, "localhost"))
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        await client.start_tls()
        await client.login("ann", PASSWORD)
        result = await client.send("", ["ann@x.test"], b"x: y\r\n" * 50_000)
        await client.quit()
    assert result.queued_reply.code == 250
    assert "STARTTLS" not in fake.lines


@pytest.mark.parametrize("name", ["", "two words", "a\r\nMAIL FROM:<x@y>", "bücher.test"])
async def test_a_name_that_cannot_be_said(name: str) -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        with pytest.raises(InvalidRequest):
            await SmtpClient(stream).greet(name)
    assert fake.lines == []


async def test_an_answer_nobody_asked_for_is_never_taken_for_the_next() -> None:
    fake = FakeServer({"EHLO": EHLO + b"535 injected\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(RemoteProtocolError, match="535 injected"):
            await client.login("ann", PASSWORD, allow_clear=True)
    assert fake.lines == ["EHLO client.test"]


async def test_starttls_protects_and_asks_again(trusted: trustme.CA) -> None:
    fake = FakeServer({"EHLO": [EHLO, b"250-mx.test\r\n250 AUTH PLAIN\r\n"]}, tls=server_tls(trusted, "localhost"))
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        offers = await client.start_tls()
        assert stream.tls is not None
        await client.login("ann", PASSWORD)
        await client.quit()
    assert offers.mechanisms == ("PLAIN",)
    assert "SIZE" not in offers
    assert [line.split()[0] for line in fake.lines] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]


async def test_starttls_twice_is_once(trusted: trustme.CA) -> None:
    fake = FakeServer(tls=server_tls(trusted, "localhost"))
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        first = await client.start_tls()
        assert await client.start_tls() == first
    assert fake.lines.count("STARTTLS") == 1


async def test_starttls_not_offered_never_goes_on_in_clear() -> None:
    fake = FakeServer({"EHLO": b"250-mx.test\r\n250 AUTH PLAIN\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(StartTlsMissing):
            await client.start_tls()
        with pytest.raises(NotEncrypted):
            await client.login("ann", PASSWORD)
        with pytest.raises(NotEncrypted):
            await client.login_with_token("ann", "token")
    assert fake.lines == ["EHLO client.test"]


async def test_starttls_refused() -> None:
    fake = FakeServer({"STARTTLS": b"454 4.7.0 TLS not available\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(SmtpRefused) as refused:
            await client.start_tls()
    assert (refused.value.step, refused.value.permanent) == (Step.STARTTLS, False)


async def test_starttls_with_another_name_in_the_certificate(trusted: trustme.CA) -> None:
    fake = FakeServer(tls=server_tls(trusted, "elsewhere.test"))
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(TLSFailed) as failed:
            await client.start_tls()
        assert not client.is_usable
    assert failed.value.reason == "certificate"


async def test_starttls_with_an_unknown_authority(authority: trustme.CA) -> None:
    client_context.cache_clear()
    fake = FakeServer(tls=server_tls(authority, "localhost"))
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(TLSFailed) as failed:
            await client.start_tls()
    assert failed.value.reason == "certificate"


async def test_starttls_answered_by_silence() -> None:
    async with dialled(FakeServer()) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(TLSFailed) as failed:
            await client.start_tls(timeout_s=0.1)
    assert failed.value.reason == "timeout"


async def test_what_was_injected_before_tls_is_forgotten(trusted: trustme.CA) -> None:
    """A second reply beside the 220, sent in clear, must not become the answer to the EHLO inside TLS."""
    fake = FakeServer(
        {"EHLO": [EHLO, b"250-mx.test\r\n250 SIZE 5\r\n"]},
        tls=server_tls(trusted, "localhost"),
        after_starttls=b"250-evil.test\r\n250 AUTH XOAUTH2\r\n",
    )
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        offers = await client.start_tls()
    assert offers.size_limit == 5
    assert offers.mechanisms == ()


async def test_plain_is_preferred() -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        await client.login("änn", "pä ss", allow_clear=True)
    assert fake.lines[-1] == "AUTH PLAIN " + base64.b64encode("\0änn\0pä ss".encode()).decode()


async def test_plain_for_a_server_that_ignores_the_initial_response() -> None:
    fake = FakeServer({"AUTH": [b"334 \r\n", b"235 ok\r\n"]})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        await client.login("ann", PASSWORD, allow_clear=True)
    assert fake.lines[-1] == base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()


async def test_login_where_plain_is_missing() -> None:
    fake = FakeServer(
        {
            "EHLO": b"250-mx.test\r\n250 AUTH=LOGIN\r\n",
            "AUTH": [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 ok\r\n"],
        }
    )
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        await client.login("ann", PASSWORD, allow_clear=True)
    said = [base64.b64decode(line).decode() for line in fake.lines[-2:]]
    assert fake.lines[-3] == "AUTH LOGIN"
    assert said == ["ann", PASSWORD]


async def test_a_token_and_the_servers_explanation(trusted: trustme.CA) -> None:
    why = base64.b64encode(b'{"status":"401"}').decode()
    fake = FakeServer(
        {
            "EHLO": b"250-mx.test\r\n250-STARTTLS\r\n250 AUTH XOAUTH2\r\n",
            "AUTH": f"334 {why}\r\n".encode(),
            "EMPTY": b"535 5.7.8 no\r\n",
        },
        tls=server_tls(trusted, "localhost"),
    )
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        await client.start_tls()
        with pytest.raises(AuthenticationFailed) as failed:
            await client.login_with_token("ann@x.test", "ya29.secret")
    assert failed.value.reply == '535 5.7.8 no {"status":"401"}'
    sent = base64.b64decode(fake.lines[-2].split()[-1])
    assert sent == b"user=ann@x.test\1auth=Bearer ya29.secret\1\1"
    assert fake.lines[-1] == ""


@pytest.mark.parametrize(
    ("reply", "expected", "code", "permanent"),
    [
        (b"535 5.7.8 bad credentials\r\n", AuthenticationFailed, "535", True),
        (b"534 5.7.9 application-specific password required\r\n", AuthenticationFailed, "534", True),
        (b"550 5.7.3 unsuccessful\r\n", AuthenticationFailed, "550", True),
        (b"454 4.7.0 temporary failure\r\n", SmtpRefused, "454", False),
        (b"421 4.7.0 too many errors\r\n", SmtpRefused, "421", False),
        (b"554 5.7.1 your address is blocked\r\n", SmtpRefused, "554", True),
    ],
)
async def test_refused_logins(reply: bytes, expected: type[SmtpRefused], code: str, permanent: bool) -> None:
    async with dialled(FakeServer({"AUTH": reply})) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(expected) as refused:
            await client.login("ann", PASSWORD, allow_clear=True)
        assert client.is_usable is (code != "421")
    assert type(refused.value) is expected
    assert (refused.value.code, refused.value.permanent) == (code, permanent)
    assert refused.value.reply == reply.decode().strip()


async def test_a_password_that_the_server_repeats_is_removed() -> None:
    blob = base64.b64encode(f"\0ann\0{PASSWORD}".encode())
    for reply in (
        b"535 5.7.8 no: " + PASSWORD.encode() + b"\r\n",
        b"454 4.3.0 cannot do " + blob + b"\r\n",
        PASSWORD.encode() + b" is not it\r\n",
    ):
        async with dialled(FakeServer({"AUTH": reply})) as stream:
            client = SmtpClient(stream)
            await client.greet(NAME)
            with pytest.raises(MooringError) as failed:
                await client.login("ann", PASSWORD, allow_clear=True)
        told = repr(vars(failed.value)) + str(failed.value) + repr(failed.value)
        assert PASSWORD not in told
        assert blob.decode() not in told
        assert failed.value.__cause__ is None


async def test_no_mechanism_in_common() -> None:
    fake = FakeServer({"EHLO": b"250-mx.test\r\n250 AUTH GSSAPI NTLM\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(NotOffered) as refused:
            await client.login("ann", PASSWORD, allow_clear=True)
    assert refused.value.reply == "AUTH GSSAPI NTLM"
    assert len(fake.lines) == 1


async def test_a_server_that_never_has_enough() -> None:
    async with dialled(FakeServer({"AUTH": b"334 more\r\n"})) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(RemoteProtocolError):
            await client.login("ann", PASSWORD, allow_clear=True)
        assert not client.is_usable


async def test_a_silent_login_is_a_read_timeout_and_the_end() -> None:
    async with dialled(FakeServer({"AUTH": SILENCE})) as stream:
        client = SmtpClient(stream)
        await client.greet(NAME)
        with pytest.raises(ReadTimeout):
            await client.login("ann", PASSWORD, allow_clear=True, timeout_s=0.1)
        with pytest.raises(ConnectionLost):
            await client.ehlo(NAME)
        await client.quit()
