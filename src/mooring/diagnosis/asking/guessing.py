"""Where the server of an e-mail address may be, as long as nobody says so better: the usual names of its domain."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import idna

from mooring.diagnosis.asking.question import PORTS
from mooring.diagnosis.types import Lookup, Question, Service, Target

Detect = Callable[[Question], Awaitable[Sequence[Target]]]
"""From a question with open targets to the servers of its e-mail address, the best first; never raises."""

LookUp = Callable[[Question, str, int], Awaitable[Lookup]]

_PREFIXES = {
    Service.IMAP: ("imap.", "mail.", ""),
    Service.SMTP: ("smtp.", "mail.", ""),
    Service.CALDAV: ("caldav.", "mail.", ""),
}


def guessing(look_up: LookUp) -> Detect:
    """A detection that knows no more than that names are usual: the first of each service that has an address."""

    async def detect(question: Question) -> list[Target]:
        wanted = [target.service for target in question.targets if not target.host]
        return list(await asyncio.gather(*(_guess(question, service, look_up) for service in wanted)))

    return detect


async def _guess(question: Question, service: Service, look_up: LookUp) -> Target:
    names = [prefix + domain_of(question.email) for prefix in _PREFIXES[service]]
    port = PORTS[service][0]
    lookups = await asyncio.gather(*(look_up(question, name, port) for name in names))
    # A name that leads to private addresses is an answer as well.
    there = [lookup.host for lookup in lookups if lookup.addresses or lookup.problem in {"private", "mixed"}]
    return Target(service, (there or names)[0], port, is_usual_port=True, is_found=True)


def domain_of(email: str) -> str:
    """The domain of an address as names are looked up."""
    domain = email.rpartition("@")[2]
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
