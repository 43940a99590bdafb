"""From an e-mail address to its provider and servers: the table first, then what the domain itself says, then guesses.

What is found is remembered for a while, by domain: no address is kept, and none is shown to anybody but the domain's
own autoconfig places.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from mooring.applications import Application
from mooring.buckets import Buckets, Rate
from mooring.clock import Clock
from mooring.config import EnvironmentName
from mooring.egress import Caller, Dialer, Traffic, kind_for
from mooring.ids import digest_id
from mooring.providers import guesses, table
from mooring.providers.address import parse_address
from mooring.providers.entries import Known
from mooring.providers.outside import Discovery, Outside
from mooring.providers.records import Records
from mooring.providers.search import Search
from mooring.providers.types import Detected, Origin, Proposal, Provider, Service

WITHIN_S = 8.0
"""Seconds for all that is asked of the outside."""
FOUND_S, NOT_FOUND_S = 600.0, 60.0
"""Seconds for which an answer is remembered."""
REMEMBERED = 2_000
"""Domains, a few MB."""
MOST_SERVERS = 12
"""In one answer."""
KNOCKS = Rate(24, 60, burst=24)
"""On all hosts of one registrable domain, for all applications together: whoever names another's hosts as those of his
own mail, or redirects there, has us knock there, and a detection knocks a dozen times at most."""
ENOUGH = 0.5
"""From this confidence on a mailbox is said to be detected."""

_SERVICES = tuple(Service)
_RANK = {origin: rank for rank, origin in enumerate(Origin)}


@dataclass(frozen=True, slots=True)
class _Remembered:
    answer: Detected
    until: float


class Detection:
    """Detects, and remembers.

    Args:
        names: where SRV and MX records are looked up.
        ispdb: the operator's choice of an ISPDB, such as ``https://autoconfig.example/v1.1``; "" for none.
        outside: instead of the dialer; tests hand in answers of their own.
    """

    def __init__(
        self,
        dialer: Dialer,
        names: Records,
        clock: Clock,
        *,
        ispdb: str = "",
        within_s: float = WITHIN_S,
        outside: Callable[[str, EnvironmentName, str], Outside] | None = None,
    ) -> None:
        self._dialer = dialer
        self._names = names
        self._clock = clock
        self._ispdb = ispdb.rstrip("/")
        self._within_s = within_s
        self._outside = outside or self._by_dialer
        self._remembered: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()
        self._knocks = Buckets(KNOCKS)
        self._under_way: dict[tuple[str, str], asyncio.Task[Detected]] = {}

    async def detect(self, application: Application, email: str) -> Detected:
        """The provider and the servers of an address, within about eight seconds, as its application discovers.

        Raises:
            InvalidRequest: it is no e-mail address.
            EgressError: our own exit failed, and nothing is known without it.
        """
        return await self.detect_from(application.id, _environment(application), email)

    async def detect_from(self, application_id: str, environment: EnvironmentName, email: str) -> Detected:
        """As ``detect``, from this environment; "" is the operator himself."""
        email, domain = parse_address(email)
        if known := table.by_domain(domain):
            return _of_known(email, known, known.proposals(Origin.TABLE))
        key = (str(environment), domain)
        remembered = self._remembered.get(key)
        if remembered is not None and self._clock.monotonic() < remembered.until:
            return remembered.answer.of(email)
        task = self._under_way.get(key)
        if task is None:
            outside = self._outside(application_id, environment, domain)
            task = self._under_way[key] = asyncio.ensure_future(self._search(key, outside, email, domain))
            task.add_done_callback(lambda done: self._ended(key, done))
        # Who gives up does not end it for the others.
        found = await asyncio.shield(task)
        if found.email != email and _names_a_user(found):
            # It was made for somebody else.
            return await self._search(key, self._outside(application_id, environment, domain), email, domain)
        return found.of(email)

    async def _search(self, key: tuple[str, str], outside: Outside, email: str, domain: str) -> Detected:
        search = Search(outside, self._names, email=email, domain=domain, ispdb=self._ispdb, may_knock=self._may_knock)
        await search.run(within_s=self._within_s)
        answer = _concluded(email, search)
        if answer.provider is None and search.ours is not None:
            raise search.ours
        if search.ours is None:
            self._remember(key, answer)
        return answer

    def _may_knock(self, host: str) -> bool:
        return self._knocks.take(guesses.owner_of(host), self._clock.monotonic()) == 0

    def _may_follow(self, domain: str, host: str) -> bool:
        """Whether a redirect to this host may be followed: to the domain's own always, to others as one may knock."""
        return guesses.is_below(host, domain) or self._may_knock(host)

    def _remember(self, key: tuple[str, str], answer: Detected) -> None:
        if _names_a_user(answer):
            return
        lasts_s = FOUND_S if answer.provider is not None else NOT_FOUND_S
        self._remembered[key] = _Remembered(answer.of(""), self._clock.monotonic() + lasts_s)
        self._remembered.move_to_end(key)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    def _ended(self, key: tuple[str, str], task: asyncio.Task[Detected]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # looked at: everybody may have given it up by now

    def _by_dialer(self, application_id: str, environment: EnvironmentName, domain: str) -> Outside:
        caller = Caller(application_id, digest_id("detection", application_id, domain))
        return Discovery(self._dialer, environment, caller, partial(self._may_follow, domain))


def _environment(application: Application) -> EnvironmentName:
    """As the authentication that is to follow would leave (spec §4)."""
    kind = kind_for(
        Traffic.DISCOVERY,
        generation=application.generation,
        feature_on=application.feature_on,
        placement=application.placement,
    )
    return application.environment(kind)


def _names_a_user(answer: Detected) -> bool:
    """Whether something in it was made for this address, and is nobody else's to see."""
    local_part = answer.email.rpartition("@")[0].lower()
    told = [*(f"{p.host}{p.path}" for p in answer.servers), *answer.notes]
    return any(local_part in text.lower() for text in told)


def _concluded(email: str, search: Search) -> Detected:
    servers = _ordered(search.proposals)
    best = {service: next((p for p in servers if p.service is service), None) for service in Service}
    mailbox, exchange = best[Service.IMAP], best[Service.EWS]
    known = (table.by_server(mailbox.host) if mailbox is not None else None) or search.known
    if known is not None:
        return _of_known(email, known, _ordered([*servers, *known.proposals(search.known_by)]), tuple(search.notes))
    provider = None
    if mailbox is not None and mailbox.confidence >= ENOUGH:
        provider = Provider.IMAP
    elif exchange is not None:
        provider = Provider.EWS
    return Detected(email, provider, servers=servers, notes=tuple(search.notes))


def _of_known(email: str, known: Known, servers: tuple[Proposal, ...], notes: tuple[str, ...] = ()) -> Detected:
    """Of a provider that has no servers for us, such as Proton, nothing can be connected: it is not detected."""
    reachable = any(proposal.service is Service.IMAP for proposal in servers)
    notes = (known.note, *notes) if known.note else notes
    return Detected(email, known.provider if reachable else None, known.name, servers, notes)


def _ordered(proposals: Iterable[Proposal]) -> tuple[Proposal, ...]:
    """Each server once, the best in front: by how it came to be known; what is silent comes last."""
    found: dict[tuple[Service, str, int], Proposal] = {}
    for proposal in sorted(proposals, key=lambda p: (p.is_silent, _RANK[p.origin], -p.confidence)):
        found.setdefault((proposal.service, proposal.host, proposal.port), proposal)
    best = list(found.values())[:MOST_SERVERS]
    return tuple(sorted(best, key=lambda proposal: _SERVICES.index(proposal.service)))
