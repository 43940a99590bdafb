"""One search: everything that a domain can be asked, side by side, within one limit of time."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from urllib.parse import quote

import httpx

from mooring.errors import (
    ConnectTimeout,
    EgressError,
    MooringError,
    NameNotFound,
    NetworkError,
    ProtocolError,
    TargetNotAllowed,
)
from mooring.net.records import SrvRecord
from mooring.providers import autoconfig, guesses, records, table
from mooring.providers.entries import Known
from mooring.providers.errors import LeftAlone
from mooring.providers.outside import Outside, Page
from mooring.providers.records import Records
from mooring.providers.types import Origin, Proposal, Service

HEAD_START_S = 0.5
"""Seconds that the DNS records have before anything is dialled: where they say enough, nothing is."""
GUESS_AFTER_S = 2.0
"""Seconds after which names are guessed although a file may still come."""
GRACE_S = 1.5
"""Seconds that is waited for the rest once the mailbox and the way to send are known."""
APART_S = 0.7
"""Seconds between guessed names."""

WELL_KNOWN = "/.well-known/caldav"

_EXCHANGE_SCHEMES = frozenset({"ntlm", "negotiate"})
_EXCHANGE_HEADERS = frozenset({"x-feserver", "x-owa-version", "x-calculatedbetarget"})
"""What Exchange's web services say beside a 401; others answer Autodiscover as well, and ask for Basic."""


class Search:
    """What is found out about one domain.

    Args:
        email: the address that was asked about; only the domain's own autoconfig places are shown it.
        ispdb: where the operator's ISPDB is, or "".
        may_knock: whether a host may be knocked at once more just now.

    Attributes:
        proposals: what was found, in no order.
        notes: what could not be used, as sentences.
        ours: the failure of our own exit that kept something from being asked, or None.
        known: the provider that the domain's records lead to, and known_by: which records.
    """

    def __init__(
        self,
        outside: Outside,
        names: Records,
        *,
        email: str,
        domain: str,
        ispdb: str,
        may_knock: Callable[[str], bool],
    ) -> None:
        self._outside = outside
        self._names = names
        self._email = email
        self._domain = domain
        self._ispdb = ispdb
        self._may_knock = may_knock
        self._mail_hosts: tuple[str, ...] = ()
        self.proposals: list[Proposal] = []
        self.notes: list[str] = []
        self.ours: EgressError | None = None
        self.known: Known | None = None
        self.known_by = Origin.MX

    async def run(self, *, within_s: float) -> None:
        """Ask everything that is left to ask; ends in time, with what there is by then."""
        deadline = asyncio.get_running_loop().time() + within_s
        looking_up = asyncio.ensure_future(self._look_up())
        tasks: set[asyncio.Future[None]] = {looking_up}
        try:
            await asyncio.wait(tasks, timeout=min(HEAD_START_S, within_s))
            if self.known is None:
                tasks.update(self._asking(looking_up))
            await self._wait(tasks, deadline)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, tasks: set[asyncio.Future[None]], deadline: float) -> None:
        """Until all have ended, or the time is up: which is soon once enough is known."""
        loop = asyncio.get_running_loop()
        pending, hurries = set(tasks), False
        while pending and (left_s := deadline - loop.time()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if not hurries and (self.known is not None or self._has(Service.IMAP, Service.SMTP)):
                hurries, deadline = True, min(deadline, loop.time() + GRACE_S)

    def _asking(self, looking_up: asyncio.Future[None]) -> list[asyncio.Future[None]]:
        """What is asked of the domain's own places; guessing begins when its files say nothing."""
        begin = asyncio.ensure_future
        has_mail = self._has(Service.IMAP, Service.SMTP)
        files = [] if has_mail else [begin(self._autoconfig(url, origin)) for url, origin in self._files()]
        others = [] if self._has(Service.CALDAV) else [begin(self._calendars())]
        if not self._has(Service.IMAP):
            others.append(begin(self._exchange()))
        missing = [service for service in guesses.PORTS if not self._has(service)]
        return [*files, *others, *(begin(self._guess(service, [*files, looking_up])) for service in missing)]

    async def _look_up(self) -> None:
        """SRV, MX and CNAME records. Without an answer the search goes on as if there were none."""
        found: dict[str, list[SrvRecord]] = {}
        leads_to = ""

        async def srv(label: str) -> None:
            with self._answered():
                found[label] = await self._names.srv(f"{label}.{self._domain}")

        async def mx() -> None:
            with self._answered():
                self._mail_hosts = records.mail_hosts(await self._names.mx(self._domain))

        async def autodiscover() -> None:
            nonlocal leads_to
            with self._answered():
                leads_to = await self._names.alias(f"autodiscover.{self._domain}")

        await asyncio.gather(mx(), autodiscover(), *map(srv, records.LABELS))
        self.proposals += records.proposals(found)
        self.known = table.by_mx(self._mail_hosts)
        if self.known is None:
            self.known, self.known_by = table.by_autodiscover(leads_to), Origin.AUTODISCOVER

    @contextmanager
    def _answered(self) -> Generator[None]:
        try:
            yield
        except NameNotFound:
            pass
        except NetworkError:
            self._tell(f"No name server answered for the SRV and MX records of {self._domain}.")

    def _files(self) -> list[tuple[str, Origin]]:
        query = f"?emailaddress={quote(self._email, safe='@')}"
        found = [
            (f"https://autoconfig.{self._domain}/mail/config-v1.1.xml{query}", Origin.AUTOCONFIG),
            (f"https://{self._domain}/.well-known/autoconfig/mail/config-v1.1.xml{query}", Origin.AUTOCONFIG),
        ]
        if self._ispdb:
            theirs = map(guesses.owner_of, self._mail_hosts[:1])
            names = dict.fromkeys((self._domain, *theirs))
            found += [(f"{self._ispdb}/{name}", Origin.ISPDB) for name in names]
        return found

    async def _autoconfig(self, url: str, origin: Origin) -> None:
        page = await self._page(url)
        if page is None or page.status != 200:
            return
        # What is none of these files is often a page that says so.
        with suppress(ProtocolError):
            self.proposals += autoconfig.proposals(
                page.body, email=self._email, domain=self._domain, host=page.url.host, origin=origin
            )

    async def _calendars(self) -> None:
        """RFC 6764 §5, without credentials: a DAV server asks for them or shows what it has; a website does neither."""
        page = await self._page(f"https://{self._domain}{WELL_KNOWN}", method="PROPFIND")
        if page is not None and (page.status == 207 or (page.status == 401 and page.challenges)):
            path = page.url.raw_path.decode("ascii").partition("?")[0]
            port = page.url.port or 443
            self.proposals.append(
                Proposal(Service.CALDAV, page.url.host, port, Origin.WELL_KNOWN, 0.8, path=path.rstrip("/"))
            )

    async def _exchange(self) -> None:
        page = await self._page(f"https://autodiscover.{self._domain}/autodiscover/autodiscover.xml")
        if page is None or page.status != 401:
            return
        if page.challenges & _EXCHANGE_SCHEMES or page.headers & _EXCHANGE_HEADERS:
            port = page.url.port or 443
            self.proposals.append(Proposal(Service.EWS, page.url.host, port, Origin.AUTODISCOVER, 0.8))

    async def _guess(self, service: Service, before: list[asyncio.Future[None]]) -> None:
        await asyncio.wait(before, timeout=GUESS_AFTER_S)
        if self._has(service) or self.known is not None:
            return
        hosts = guesses.hosts(service, self._domain, self._mail_hosts)
        attempts: list[Callable[[], Awaitable[Proposal | None]]] = [partial(self._try, service, h) for h in hosts]
        if (found := await guesses.first_to_succeed(attempts, apart_s=APART_S)) is not None:
            self.proposals.append(found)

    async def _try(self, service: Service, host: str) -> Proposal | None:
        """The server that greets at this name; TLS from the first byte, or by STARTTLS."""
        for port, tls in guesses.PORTS[service]:
            if not self._may_knock(host):
                self._note(LeftAlone(host), host)
                return None
            try:
                await self._outside.knock(service, host, port, tls)
                return Proposal(service, host, port, Origin.GUESS, guesses.CONFIDENCE, tls)
            except ConnectTimeout as e:
                # The other port of a host that drops would be as silent, and cost as long.
                self._note(e, host)
                silent = Proposal(service, host, port, Origin.GUESS, guesses.SILENT, tls, is_silent=True)
                self.proposals.append(silent)
                return None
            except (NameNotFound, TargetNotAllowed, EgressError) as e:
                self._note(e, host)
                return None
            except (NetworkError, ProtocolError) as e:
                self._note(e, host)
        return None

    async def _page(self, url: str, *, method: str = "GET") -> Page | None:
        """The page, or None: most domains have none of those that are asked for, so a failure is not told."""
        try:
            return await self._outside.fetch(url, method=method)
        except (TargetNotAllowed, EgressError, LeftAlone) as e:
            self._note(e, httpx.URL(url).host)
        except (NetworkError, ProtocolError):
            pass
        return None

    def _note(self, error: MooringError, host: str) -> None:
        """Keep what a person can do something about; that a guessed name does not exist says nothing."""
        match error:
            case NameNotFound():
                pass
            case EgressError():
                self.ours = self.ours or error
            case TargetNotAllowed():
                # Where exactly it leads is not for whoever may only ask.
                self._tell(f"{host} leads to where Mooring does not dial: a private or reserved address, or its own.")
            case _:
                self._tell(f"{error.message.removesuffix('.')}.")

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _has(self, *services: Service) -> bool:
        """Whether each of these is known, and not only guessed in silence."""
        return all(any(p.service is service and not p.is_silent for p in self.proposals) for service in services)
