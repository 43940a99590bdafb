"""From the greeting to the login, and every way in which a server can say no on the way."""

import base64

import pytest

from mooring.errors import AuthenticationFailed, InvalidRequest, RemoteProtocolError, ServerRefused
from mooring.protocols.imap import (
    BadCommand,
    ImapClient,
    NoLoginMethod,
    SaidGoodbye,
    StartTlsMissing,
    State,
    StatusResponse,
    WrongState,
)
from tests.protocol.scripted import END, TLS, ScriptedStream, Step, heard, said, scripted

PASSWORD = 'p"w\\ ü'
PLAIN = base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()


async def greeted(*lines: str | Step, offers: str = "IMAP4rev1") -> tuple[ImapClient, ScriptedStream]:
    stream = scripted(f"S: * OK [CAPABILITY {offers}] hello", *lines)
    client = ImapClient(stream)
    await client.greeting()
    return client, stream


async def test_greeting() -> None:
    client = ImapClient(scripted("S: * OK [CAPABILITY IMAP4rev1 IDLE] Dovecot ready."))
    text = await client.greeting()
    assert text.text == "Dovecot ready."
    assert client.state is State.NOT_AUTHENTICATED
    assert await client.capabilities() == {"IMAP4REV1", "IDLE"}


async def test_a_server_that_turns_us_away_keeps_its_words() -> None:
    client = ImapClient(scripted("S: * BYE [UNAVAILABLE] 192.0.2.1 is not on our list"))
    with pytest.raises(ServerRefused) as caught:
        await client.greeting()
    assert caught.value.reply == "BYE [UNAVAILABLE] 192.0.2.1 is not on our list"
    assert caught.value.code == "UNAVAILABLE"
    assert client.state is State.LOGOUT


@pytest.mark.parametrize(
    "line", ["S: * PREAUTH you are root", "S: HTTP/1.1 400 Bad Request", "S: 220 mx ESMTP", "S: * 5 EXISTS", "S: +"]
)
async def test_what_is_no_greeting(line: str) -> None:
    client = ImapClient(scripted(line))
    with pytest.raises(RemoteProtocolError):
        await client.greeting()
    with pytest.raises(RemoteProtocolError):
        await client.noop()


async def test_preauth_can_be_allowed() -> None:
    client = ImapClient(scripted("S: * PREAUTH you are ann"))
    await client.greeting(allow_preauth=True)
    assert client.state is State.AUTHENTICATED
    with pytest.raises(WrongState):
        await client.login("ann", "secret")


async def test_starttls_forgets_all_that_was_said_in_clear() -> None:
    client, stream = await greeted(
        "C: M1 STARTTLS",
        said(b"* OK [ALERT] injected\r\nM1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=EVIL\r\nM2 OK injected\r\n* 1 EXI"),
        TLS,
        "C: M2 CAPABILITY",
        "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN",
        "S: M2 OK done",
        offers="IMAP4rev1 STARTTLS LOGINDISABLED",
    )
    await client.start_tls()
    assert stream.is_tls
    assert await client.capabilities() == {"IMAP4REV1", "AUTH=PLAIN"}
    assert client.take_events() == []
    stream.assert_done()


async def test_starttls_that_is_not_offered_is_not_done_without() -> None:
    client, stream = await greeted()
    with pytest.raises(StartTlsMissing):
        await client.start_tls()
    assert not stream.is_tls


async def test_starttls_that_is_refused() -> None:
    client, stream = await greeted("C: M1 STARTTLS", "S: M1 NO not now", offers="IMAP4rev1 STARTTLS")
    with pytest.raises(ServerRefused):
        await client.start_tls()
    assert not stream.is_tls


async def test_plain_in_one_line() -> None:
    client, stream = await greeted(
        f"C: M1 AUTHENTICATE PLAIN {PLAIN}",
        "S: M1 OK [CAPABILITY IMAP4rev1 IDLE] welcome",
        offers="IMAP4rev1 AUTH=PLAIN SASL-IR",
    )
    await client.login("ann", PASSWORD)
    assert client.state is State.AUTHENTICATED
    assert await client.capabilities() == {"IMAP4REV1", "IDLE"}
    stream.assert_done()


async def test_plain_when_asked() -> None:
    client, stream = await greeted(
        "C: M1 AUTHENTICATE PLAIN", "S: +", f"C: {PLAIN}", "S: M1 OK welcome", offers="IMAP4rev1 AUTH=PLAIN"
    )
    await client.login("ann", PASSWORD)
    stream.assert_done()


async def test_login_sends_what_cannot_be_quoted_as_a_literal_and_waits_for_leave() -> None:
    client, stream = await greeted(
        heard(b'M1 LOGIN "ann" {7}\r\n'),
        "S: + go on",
        heard(PASSWORD.encode() + b"\r\n"),
        "S: M1 OK welcome",
        "C: M2 CAPABILITY",
        "S: * CAPABILITY IMAP4rev1 MOVE",
        "S: M2 OK done",
    )
    await client.login("ann", PASSWORD)
    assert await client.capabilities() == {"IMAP4REV1", "MOVE"}, "what was offered before the login counts no more"
    stream.assert_done()


async def test_a_server_that_refuses_the_literal_never_sees_it() -> None:
    client, stream = await greeted(heard(b'M1 LOGIN "ann" {7}\r\n'), "S: M1 NO too long", "C: M2 NOOP", "S: M2 OK done")
    with pytest.raises(AuthenticationFailed):
        await client.login("ann", PASSWORD)
    await client.noop()
    stream.assert_done()


@pytest.mark.parametrize(
    ("line", "error", "code"),
    [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", AuthenticationFailed, "AUTHENTICATIONFAILED"),
        ("NO LOGIN failed.", AuthenticationFailed, ""),
        ("NO [ALERT] Please log in via your web browser", AuthenticationFailed, "ALERT"),
        ("NO [UNAVAILABLE] Temporary authentication failure.", ServerRefused, "UNAVAILABLE"),
        ("NO [LIMIT] Too many connections", ServerRefused, "LIMIT"),
        ("BAD what?", BadCommand, ""),
    ],
)
async def test_refused_logins(line: str, error: type[ServerRefused], code: str) -> None:
    client, _ = await greeted('C: M1 LOGIN "ann" "hunter2"', f"S: M1 {line}", "C: M2 NOOP", "S: M2 OK still here")
    with pytest.raises(ServerRefused) as caught:
        await client.login("ann", "hunter2")
    refused = caught.value
    assert type(refused) is error
    assert refused.reply == line
    assert refused.code == code
    assert refused.permanent is (code not in {"UNAVAILABLE", "LIMIT"})
    assert "hunter2" not in f"{refused!r} {refused} {refused.hint} {refused.__cause__!r}"
    await client.noop()


async def test_an_alert_is_also_news() -> None:
    client, _ = await greeted('C: M1 LOGIN "a" "b"', "S: M1 OK [ALERT] disk almost full")
    await client.login("a", "b")
    (alert,) = client.take_events()
    assert isinstance(alert, StatusResponse)
    assert alert.text.text == "disk almost full"


async def test_login_disabled_is_respected() -> None:
    client, stream = await greeted(offers="IMAP4rev1 LOGINDISABLED AUTH=GSSAPI")
    with pytest.raises(NoLoginMethod) as caught:
        await client.login("ann", "hunter2")
    assert caught.value.code == "LOGINDISABLED"
    assert "AUTH=GSSAPI" in caught.value.reply
    stream.assert_done()


async def test_a_goodbye_instead_of_an_answer() -> None:
    client, _ = await greeted('C: M1 LOGIN "a" "b"', "S: * BYE Too many invalid commands", END)
    with pytest.raises(SaidGoodbye) as caught:
        await client.login("a", "b")
    assert caught.value.reply == "BYE Too many invalid commands"
    with pytest.raises(SaidGoodbye):
        await client.noop()


async def test_a_token() -> None:
    secret = base64.b64encode(b"user=ann\1auth=Bearer ya29\1\1").decode()
    client, stream = await greeted(
        f"C: M1 AUTHENTICATE XOAUTH2 {secret}", "S: M1 OK welcome", offers="IMAP4rev1 AUTH=XOAUTH2 SASL-IR"
    )
    await client.login_oauth("ann", "ya29")
    stream.assert_done()


async def test_a_refused_token_and_the_challenge_that_explains_it() -> None:
    why = '{"status":"400","scope":"https://mail.example/"}'
    secret = base64.b64encode(b"user=ann\1auth=Bearer ya29\1\1").decode()
    client, stream = await greeted(
        "C: M1 AUTHENTICATE XOAUTH2",
        "S: + ",
        f"C: {secret}",
        f"S: + {base64.b64encode(why.encode()).decode()}",
        "C: ",
        "S: M1 NO [AUTHENTICATIONFAILED] SASL authentication failed",
        offers="IMAP4rev1 AUTH=XOAUTH2",
    )
    with pytest.raises(AuthenticationFailed) as caught:
        await client.login_oauth("ann", "ya29")
    assert caught.value.reply == f"NO [AUTHENTICATIONFAILED] SASL authentication failed {why}"
    assert "ya29" not in f"{caught.value!r}{caught.value.reply}"
    stream.assert_done()


async def test_a_token_where_only_passwords_are_taken() -> None:
    client, _ = await greeted(offers="IMAP4rev1 AUTH=PLAIN")
    with pytest.raises(NoLoginMethod):
        await client.login_oauth("ann", "ya29")


@pytest.mark.parametrize(("username", "password"), [("a\0b", "x"), ("a", "x\0"), ("a", "x\ud83d")])
async def test_what_cannot_be_sent_is_ours_to_refuse(username: str, password: str) -> None:
    client, stream = await greeted(offers="IMAP4rev1 AUTH=PLAIN")
    with pytest.raises(InvalidRequest) as caught:
        await client.login(username, password)
    assert caught.value.__cause__ is None
    stream.assert_done()


async def test_id_and_enable() -> None:
    client, stream = await greeted(
        'C: M1 LOGIN "a" "b"',
        "S: M1 OK [CAPABILITY IMAP4rev1 ENABLE] in",
        'C: M2 ID ("name" "Mooring" "os" NIL)',
        'S: * ID ("name" "Dovecot" "VERSION" "2.3")',
        "S: M2 OK done",
        "C: M3 ID NIL",
        "S: * ID NIL",
        "S: M3 OK done",
        "C: M4 ENABLE CONDSTORE QRESYNC",
        "S: * ENABLED QRESYNC",
        "S: M4 OK done",
    )
    await client.login("a", "b")
    assert await client.identify({"name": "Mooring", "os": None}) == {"name": "Dovecot", "version": "2.3"}
    assert await client.identify() == {}
    assert await client.enable("CONDSTORE", "QRESYNC") == {"QRESYNC"}
    stream.assert_done()


async def test_logout_closes_whatever_happens() -> None:
    client, stream = await greeted("C: M1 LOGOUT", "S: * BYE see you", "S: M1 OK bye", END)
    await client.logout()
    assert stream.is_closed
    client, stream = await greeted("C: M1 LOGOUT", END)
    await client.logout()
    assert stream.is_closed
