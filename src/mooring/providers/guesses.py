"""Names that mail servers often have, and the ports that they answer on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from publicsuffixlist import PublicSuffixList

from mooring.net import TlsMode
from mooring.providers.types import Service

T = TypeVar("T")

CONFIDENCE = 0.6
SILENT = 0.25
"""Of a name that exists and where nobody answers: a server behind a filter looks like that, and so do other things."""

PORTS = {
    Service.IMAP: ((993, TlsMode.IMPLICIT), (143, TlsMode.STARTTLS)),
    Service.SMTP: ((465, TlsMode.IMPLICIT), (587, TlsMode.STARTTLS)),
}
"""In the order in which they are tried (RFC 8314 §3)."""

MOST_HOSTS = 6
"""Names that are tried for one service."""

_suffixes = PublicSuffixList()


def hosts(service: Service, domain: str, mail_hosts: Sequence[str]) -> tuple[str, ...]:
    """The names to try, the likeliest in front.

    Args:
        mail_hosts: those that take the domain's mail; its users' mailboxes are often there, or with the same people.
    """
    own = str(service)
    found = [f"{own}.{domain}", f"mail.{domain}", *mail_hosts[:1], domain]
    for host in mail_hosts[:1]:
        theirs = owner_of(host)
        if theirs not in {host, domain}:
            found += [f"{own}.{theirs}", f"mail.{theirs}"]
    return tuple(dict.fromkeys(found))[:MOST_HOSTS]


def owner_of(host: str) -> str:
    """The registrable domain of a host; the host itself where there is none."""
    return _suffixes.privatesuffix(host) or host


def is_below(host: str, domain: str) -> bool:
    """Whether a host is the domain's own: below a public suffix, such as ``co.uk``, each name is somebody else's."""
    return (host == domain or host.endswith(f".{domain}")) and owner_of(host) == owner_of(domain)


async def first_to_succeed(attempts: Sequence[Callable[[], Awaitable[T | None]]], *, apart_s: float) -> T | None:
    """The first result that is one; the others are given up.

    An attempt begins when the one before it has failed, or after so many seconds, whichever is first: what is likelier
    has a start, and what is silent does not hold up the rest.
    """
    waiting = list(reversed(attempts))
    pending: set[asyncio.Future[T | None]] = set()
    try:
        while waiting or pending:
            if waiting:
                pending.add(asyncio.ensure_future(waiting.pop()()))
            done, pending = await asyncio.wait(
                pending, timeout=apart_s if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                if (result := attempt.result()) is not None:
                    return result
    finally:
        for attempt in pending:
            attempt.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return None
