"""All situations at once, beside one another: what a test asks for."""

import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Self

from tests.lab.laboratory import Laboratory
from tests.lab.namespaces import PROXIES, SERVERS, inside, program, run
from tests.lab.situations import firewall, sources
from tests.lab.situations.flapping import Flapping
from tests.lab.situations.looking import Login, look
from tests.lab.situations.servers import Farm
from tests.lab.situations.table import SITUATIONS
from tests.lab.situations.tallies import Tally, tallies
from tests.lab.situations.types import IMAP, Question, Service, Situation

#: The first of the situations' addresses is 10.99.2.10 (fd99:2::10); each has the next one.
_FIRST = 10


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of one service from one address of ours."""

    source: str
    address: str
    service: Service
    word: str


@dataclass(frozen=True, slots=True)
class Marks:
    """A place in each log."""

    dovecot: int
    wrapped: int
    postfix: int


class Situations:
    """Every situation of the table, standing until the block ends.

    The firewall of the laboratory itself must be open meanwhile.
    """

    def __init__(self, lab: Laboratory, situations: Sequence[Situation] = SITUATIONS) -> None:
        self.all = tuple(situations)
        self._lab = lab
        self._closing = ExitStack()
        self._addresses = {s.name: _addresses(number, s) for number, s in enumerate(situations, start=_FIRST)}
        self._passwords = {situation.name: token_urlsafe(12) for situation in situations}
        self._ip = program("ip", package="iproute2")

    def __enter__(self) -> Self:
        self._build_network()
        firewall.write_rules(
            {address: situation.rules for situation in self.all for address in self._addresses[situation.name]}
        )
        firewall.write_holes()
        self._closing.callback(firewall.remove)
        self._lab.names.update({"control.test": (sources.CONTROL6, sources.CONTROL)} | self._names())
        root = self._lab.folder("situations")
        self.servers = Farm(root, self._lab.authority, self.all, self._addresses, self._closing)
        self.servers.start(self._passwords)
        if periods := {self._addresses[s.name][-1]: s.flaps_s for s in self.all if s.flaps_s}:
            self._closing.enter_context(Flapping(periods))
        return self

    def __exit__(self, *failure: object) -> None:
        self._closing.close()

    def __getitem__(self, name: str) -> Situation:
        return next(situation for situation in self.all if situation.name == name)

    def addresses(self, situation: Situation) -> tuple[str, ...]:
        """The server's, as its name gives them."""
        return self._addresses[situation.name]

    def question(self, situation: Situation) -> Question:
        """What is to be asked about a situation."""
        password = self._passwords[situation.name]
        given = password if situation.right_password else f"not-{password}"
        return Question(
            situation.host,
            situation.asks,
            username=situation.user if situation.credentials else "",
            password=given if situation.credentials else "",
            site=situation.site,
            region=situation.region,
        )

    def look(self, situation: Situation, source: str, service: Service) -> list[Sight]:
        """What is seen from one address of ours: one sight for each address of the server of the same family."""
        question = self.question(situation)
        login = Login(question.username, question.password) if question.with_credentials else None
        return [
            Sight(source, address, service, look(source, address, service, situation.host, self._trust(), login))
            for address in self.addresses(situation)
            if (":" in address) == (":" in source)
        ]

    def marks(self) -> Marks:
        """A place in the servers' logs, for ``tallies``."""
        servers = self.servers
        wrapped = servers.wrapped.server.mark() if servers.wrapped else 0
        return Marks(servers.dovecot.server.mark(), wrapped, servers.postfix.server.mark())

    def tallies(self, since: Marks) -> list[Tally]:
        """What fail2ban would hold against whom, the heaviest first; see ``tallies.py``.

        Of the situations behind HAProxy and the like it knows nothing: what Dovecot sees is the proxy.
        """
        servers = self.servers
        imap = servers.dovecot.server.log(since=since.dovecot)
        if servers.wrapped:
            imap += servers.wrapped.server.log(since=since.wrapped)
        smtp = servers.postfix.server.log(since=since.postfix)
        return tallies(imap, smtp, self._addresses, self._lab.folder("tallies"))

    def look_at_control(self, source: str) -> str:
        """The word for what is seen of the control target from one address of ours."""
        address = sources.CONTROL6 if ":" in source else sources.CONTROL
        return look(source, address, IMAP, "control.test", self._trust())

    def lose(self) -> None:
        """Take the address away that ``our-address-lost`` is about: after Mooring has started, which checks for it."""
        self._lab.network.unplumb(sources.LOST)
        self._closing.callback(self._lab.network.plumb, sources.LOST)

    def ban(self, name: str = "banned") -> None:
        """Make fail2ban ban the first dynamic address: five connections that say nothing are enough for that.

        Connections that are to be remembered as good must have been made before.
        """
        guarded = self.servers.guarded[name]
        source = sources.DYNAMIC[0]
        for _ in range(5):
            socket.create_connection((self._addresses[name][0], 993), 5, (source, 0)).close()
        guarded.fail2ban.wait_for_ban(source)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._lab.trust))

    def _names(self) -> dict[str, tuple[str, ...]]:
        names: dict[str, tuple[str, ...]] = {}
        for situation in self.all:
            if not situation.elsewhere:
                names[situation.host] = self._addresses[situation.name]
            elif situation.elsewhere != "-":
                names[situation.host] = (situation.elsewhere,)
        return names

    def _build_network(self) -> None:
        theirs = [sources.CONTROL, sources.CONTROL6, *(a for found in self._addresses.values() for a in found)]
        self._plumb(sources.BOUND, "lab0")
        self._plumb(theirs, "lo", namespace=SERVERS)
        self._plumb(sources.PROXIES, "lab0", namespace=PROXIES)
        self._batch("route add 10.99.2.0/24 via 10.99.0.1", "route add fd99:2::/64 via fd99::1")
        self._closing.callback(self._batch, "route del 10.99.2.0/24", "route del fd99:2::/64")
        rule = ("from", sources.NO_ROUTE6, "unreachable")
        run(self._ip, "-6", "rule", "add", *rule)
        self._closing.callback(run, self._ip, "-6", "rule", "del", *rule)
        # So many refusals at once are more than a kernel sends by default.
        limits = "cd /proc/sys/net/ipv4; for limit in icmp_msgs_per_sec icmp_msgs_burst; do echo 100000 > $limit; done"
        run(*inside(SERVERS), "sh", "-e", "-c", limits)

    def _plumb(self, addresses: Sequence[str], device: str, namespace: str | None = None) -> None:
        where = [f"{address}/{128 if ':' in address else 32} dev {device}" for address in addresses]
        self._batch(*(f"addr add {place}{' nodad' if '::' in place else ''}" for place in where), namespace=namespace)
        self._closing.callback(self._batch, *(f"addr del {place}" for place in where), namespace=namespace)

    def _batch(self, *lines: str, namespace: str | None = None) -> None:
        where = inside(namespace) if namespace else []
        run(*where, self._ip, "-batch", "-", stdin="\n".join(lines) + "\n")


def _addresses(number: int, situation: Situation) -> tuple[str, ...]:
    found = {"6": f"fd99:2::{number}", "4": f"10.99.2.{number}"}
    return tuple(address for family, address in found.items() if family in situation.families)
