"""How often callers may call (contract 1.11), and how often they may be wrong.

Counted in memory, by each API process for itself: behind a load balancer the limits hold for each process. They keep
one caller from taking the service away from the others, and keep everybody from guessing keys and passwords at speed.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterable
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import cast
from urllib.parse import urlsplit

from mooring.api.doors import Req
from mooring.api.errors import RateLimited
from mooring.buckets import Buckets, Rate, network_of
from mooring.clock import Clock
from mooring.errors import ProviderFailure
from mooring.grants import Settings, mail_domain


class Limit(StrEnum):
    """What is counted; the value tells it to whoever went too far."""

    #: routes of an application itself: applications, connecting, grants, lists
    APPLICATION = "requests of this application"
    #: routes of one account's data
    GRANT = "requests for this account"
    #: messages sent as multipart: each may have megabytes
    MULTIPART = "messages in multipart for this account"
    #: attempts to connect an account, and test events, which dial whatever the caller names
    CONNECT = "attempts of this application to connect"
    #: diagnoses that are asked for
    DIAGNOSES = "diagnoses of this application"
    #: reading and following one diagnosis
    DIAGNOSIS = "requests for this diagnosis"
    #: settings that are looked for, also for a diagnosis: each time several servers are asked
    DETECT = "detections of this application"
    #: logins that failed, of one user of one domain by one application
    LOGIN = "failed logins of this user"
    #: keys, secrets and tokens that nobody has, from one address
    STRANGER = "unknown keys from this address"


RATES = {
    Limit.APPLICATION: Rate(50, 1, burst=100),
    Limit.GRANT: Rate(200, 1, burst=400),
    Limit.MULTIPART: Rate(10, 1, burst=20),
    Limit.CONNECT: Rate(10, 1, burst=20),
    # Each costs some dozen connections. Whoever checks a customer's whole list of servers begins with all of them.
    Limit.DIAGNOSES: Rate(120, 60, burst=200),
    Limit.DIAGNOSIS: Rate(10, 1, burst=20),
    Limit.DETECT: Rate(20, 60, burst=20),
    # A person who mistypes has five tries, and a mail server's own lock (mostly after ten) is not set off by us.
    # Whoever guesses has 7,200 a day. What succeeds, or fails before the login, costs nothing.
    Limit.LOGIN: Rate(5, 60, burst=5),
    Limit.STRANGER: Rate(5, 1, burst=20),
}
"""The table. A burst is two seconds of the rate, where it is one of requests: SDKs read pages as fast as they come."""

BARRED_S = 60.0
"""Seconds at most for which an address is not heard after many wrong keys at once."""

RECOGNISED = 10_000
"""Secrets that are remembered to be somebody's, by their hash."""


class Limits:
    """Counts, and refuses what is too much.

    Args:
        on: whether anything is ever refused.
    """

    def __init__(self, clock: Clock, *, on: bool) -> None:
        self._clock = clock
        self._on = on
        self._buckets = {limit: Buckets(rate) for limit, rate in RATES.items()}
        self._recognised: OrderedDict[bytes, None] = OrderedDict()

    def take(self, limit: Limit, key: Hashable) -> None:
        """Count one.

        Raises:
            RateLimited.
        """
        if self._on and (wait_s := self._buckets[limit].take(key, self._clock.monotonic())):
            raise self._refusal(limit, wait_s)

    def admit(self, address: str, secret: str) -> None:
        """Let a caller show who it is: anybody, but from where too many wrong secrets came only those known by theirs.

        So the many callers behind one proxy do not suffer from one that guesses.

        Raises:
            RateLimited: the secret is not looked up.
        """
        if not self._on or _digest(secret) in self._recognised:
            return
        if wait_s := self._buckets[Limit.STRANGER].wait_s(network_of(address), self._clock.monotonic()):
            raise self._refusal(Limit.STRANGER, wait_s)

    def recognised(self, secret: str) -> None:
        """Note that this secret is somebody's."""
        if not self._on:
            return
        digest = _digest(secret)
        self._recognised[digest] = None
        self._recognised.move_to_end(digest)
        if len(self._recognised) > RECOGNISED:
            self._recognised.popitem(last=False)

    def unknown(self, address: str, secret: str) -> None:
        """Note that it is nobody's."""
        if not self._on:
            return
        self._recognised.pop(_digest(secret), None)
        now = self._clock.monotonic()
        self._buckets[Limit.STRANGER].charge(network_of(address), now, most_s=BARRED_S)

    @contextmanager
    def logins(self, application_id: str, settings: Settings) -> Generator[None]:
        """Try these servers' logins within the block; only one that fails at the login itself counts.

        Raises:
            RateLimited: too many have failed already, or are under way.
        """
        with ExitStack() as undo:
            for login in _logins(settings):
                key = (application_id, *login)
                self.take(Limit.LOGIN, key)
                undo.callback(self._buckets[Limit.LOGIN].give_back, key)
            try:
                yield
            except ProviderFailure as e:
                # Whoever is hung up on at the login has learnt as much as whoever is told no.
                if e.stage == "login" or e.reason == "authentication":
                    undo.pop_all()
                raise

    def _refusal(self, limit: Limit, wait_s: float) -> RateLimited:
        rate = self._buckets[limit].rate
        often = f"{rate.count} a second" if rate.seconds == 1 else f"{rate.count} in {rate.seconds:.0f} seconds"
        return RateLimited(f"Too many {limit}: {often} are allowed.", limit=rate.count, wait_s=wait_s)


def limits_of(request: Req) -> Limits:
    """What the application counts by."""
    return cast("Limits", request.app.state["limits"])


def _logins(settings: Settings) -> Iterable[tuple[str, str]]:
    """Each domain and user that would be logged in; the hosts of one domain are taken for one."""
    servers = [(settings.imap.host, settings.imap.username)]
    if settings.smtp is not None:
        servers.append((settings.smtp.host, settings.smtp.username))
    if settings.caldav is not None:
        servers.append((urlsplit(settings.caldav.url).hostname or "", settings.caldav.username))
    return dict.fromkeys((mail_domain(host), username.lower()) for host, username in servers)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
