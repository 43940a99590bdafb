"""Probes to their end: what they say to a server, in which order, what its refusals mean, and what is never shown."""

import asyncio
import ssl

import pytest

from mooring.diagnosis.types import Depth, Outcome, Service, Stage, Vantage
from tests.egress.exits import SERVER, Exits, serving
from tests.egress.probed import (
    CALDAV,
    HOST,
    IMAP,
    IMPLICIT,
    LOGIN,
    PASSWORD,
    SMTP,
    STATIC,
    Handler,
    Talks,
    authority,
    imap,
    observe,
    prober,
    smtp,
    tls,
)
from tests.probing import no, yes

__all__ = ["authority", "tls"]


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
