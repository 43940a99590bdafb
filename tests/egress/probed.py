"""Servers for probes to look at, each with a life of its own, and how one is looked at."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest

from mooring.diagnosis.probes.walk import Limits
from mooring.diagnosis.types import Observation, Service, Vantage
from mooring.grants import TlsMode
from mooring.net.listener import free_port, server_context
from mooring.net.tls import client_context
from tests.egress.exits import SERVER, SOURCES, TIMEOUTS, UNPLUMBED, Exits, Server, serving, stay_silent
from tests.lab.certificates import Authority
from tests.probing import Probing

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


def free_port_of(address: str) -> int:
    return free_port(IPv4Address(address))
