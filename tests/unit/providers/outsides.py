"""An outside and name servers that answer by a script, and remember what they were asked."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from mooring.egress import Dial
from mooring.egress.types import Timeouts
from mooring.errors import MooringError, NameNotFound
from mooring.net import TlsMode
from mooring.net.records import MxRecord, SrvRecord
from mooring.providers.outside import Page
from mooring.providers.types import Service

FILE = """<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="example.org">
  <incomingServer type="pop3"><hostname>pop.example.org</hostname><port>995</port><socketType>SSL</socketType>
    <username>%EMAILADDRESS%</username></incomingServer>
  <incomingServer type="imap"><hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType>
    <username>%EMAILADDRESS%</username></incomingServer>
  <outgoingServer type="smtp"><hostname>smtp.%EMAILDOMAIN%</hostname><port>587</port><socketType>STARTTLS</socketType>
    <username>%EMAILLOCALPART%</username></outgoingServer>
</emailProvider></clientConfig>"""


async def forever() -> None:
    """Nobody answers."""
    await asyncio.Event().wait()


@dataclass
class FakeNames:
    """Name servers; ``failure`` is raised for every question, and ``silent`` never answers."""

    srv_records: Mapping[str, list[SrvRecord]] = field(default_factory=dict[str, list[SrvRecord]])
    mx_records: Mapping[str, list[MxRecord]] = field(default_factory=dict[str, list[MxRecord]])
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    failure: MooringError | None = None
    asked: list[str] = field(default_factory=list[str])

    async def srv(self, name: str, /) -> list[SrvRecord]:
        self._ask(name)
        return self.srv_records.get(name, [])

    async def mx(self, name: str, /) -> list[MxRecord]:
        self._ask(name)
        return self.mx_records.get(name, [])

    async def alias(self, name: str, /) -> str:
        self._ask(name)
        return self.aliases.get(name, "")

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeOutside:
    """Web pages by host and path, and greetings by host and port; whatever is in neither is no name at all.

    Attributes:
        pages: what is answered: a page, or the failure; None never answers. With a query it is for that one alone.
        greeting: by (host, port): None greets, a failure is raised.
    """

    pages: Mapping[str, Page | MooringError | None] = field(default_factory=dict[str, Page | MooringError | None])
    greeting: Mapping[tuple[str, int], MooringError | None] = field(
        default_factory=dict[tuple[str, int], MooringError | None]
    )
    fetched: list[str] = field(default_factory=list[str])
    knocked: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])

    async def fetch(self, url: str, /, *, method: str = "GET") -> Page:
        self.fetched.append(url)
        place = httpx.URL(url)
        key = f"{place.host}{place.path}"
        nobody = NameNotFound(f"the name of {place.host} has no address")
        answer = self.pages.get(f"{key}?{place.query.decode()}", self.pages.get(key, nobody))
        if answer is None:
            await forever()
        if isinstance(answer, MooringError):
            raise answer
        assert answer is not None
        return answer

    async def knock(self, service: Service, host: str, port: int, tls: TlsMode, /) -> None:
        self.knocked[host, port] += 1
        failure = self.greeting.get((host, port), NameNotFound(f"the name of {host} has no address"))
        if failure is not None:
            raise failure


@dataclass
class FakeDialer:
    """A dialer to web servers that answer by a script; every other host is no name.

    Attributes:
        answers: whole answers of HTTP, by host and port.
        dialled: every host and port that was dialled, also those that nobody has.
    """

    answers: Mapping[tuple[str, int], bytes]
    dialled: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    timeouts: Timeouts = field(default_factory=Timeouts)

    async def dial(self, dial: Dial, /) -> "ScriptedStream":
        self.dialled[dial.host, dial.port] += 1
        if (dial.host, dial.port) not in self.answers:
            raise NameNotFound(f"the name of {dial.host} has no address")
        return ScriptedStream(self.answers[dial.host, dial.port])


@dataclass
class ScriptedStream:
    """A connection over which one answer comes."""

    answer: bytes
    tls: None = None

    async def send(self, data: bytes, *, timeout_s: float | None = None) -> None: ...

    async def receive(self, *, timeout_s: float | None = None) -> bytes:
        said, self.answer = self.answer, b""
        return said

    async def start_tls(self, *, timeout_s: float | None = None) -> None: ...

    async def aclose(self) -> None: ...


def redirect(location: str) -> bytes:
    """A whole answer of HTTP that leads elsewhere."""
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def page(url: str, body: str = "", *, status: int = 200, challenges: tuple[str, ...] = ()) -> Page:
    """A page that came from here."""
    return Page(httpx.URL(url), status, frozenset(challenges), frozenset(), body.encode())
