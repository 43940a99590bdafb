"""An outside and name servers that answer by a script, and remember what they were asked."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

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
        pages: what is answered: a page, or the failure; None never answers.
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
        answer = self.pages.get(key, NameNotFound(f"the name of {place.host} has no address"))
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


def page(url: str, body: str = "", *, status: int = 200, challenges: tuple[str, ...] = ()) -> Page:
    """A page that came from here."""
    return Page(httpx.URL(url), status, frozenset(challenges), frozenset(), body.encode())
