"""The servers of all situations: as few as can be, on as many addresses as there are situations."""

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.lab import proxies
from tests.lab.certificates import Authority, Certificate
from tests.lab.dovecot import Dovecot, User
from tests.lab.guarded import Guarded
from tests.lab.namespaces import SERVERS
from tests.lab.postfix import Postfix
from tests.lab.processes import Server
from tests.lab.radicale import Radicale
from tests.lab.situations import sources
from tests.lab.situations.haproxy import Front, haproxy
from tests.lab.situations.nginx import Site, nginx
from tests.lab.situations.postfix_services import services
from tests.lab.situations.types import Dav, Imap, Situation, Smtp

#: Where the Dovecot and the Radicale that serve most of them can always be reached.
_PLAIN = (sources.CONTROL, sources.CONTROL6)

_HAPROXY = {Imap.HAPROXY_REJECTS, Imap.HAPROXY_HOLDS, Imap.HAPROXY_EMPTY, Imap.SWAPPED}

_TCP_WRAPPERS = """
login_access_sockets = tcpwrap
service tcpwrap {
  unix_listener login/tcpwrap {
    group = $default_login_user
    mode = 0600
    user = $default_login_user
  }
}
"""


class Farm:
    """Starts what the situations need.

    Args:
        addresses: of each situation, by its name.
        closing: ends what was started.
    """

    def __init__(
        self,
        root: Path,
        authority: Authority,
        situations: Sequence[Situation],
        addresses: dict[str, tuple[str, ...]],
        closing: ExitStack,
    ) -> None:
        self._root = root
        self._authority = authority
        self._situations = situations
        self._addresses = addresses
        self._closing = closing
        names = [situation.host for situation in situations if not situation.certificate]
        everywhere = [address for found in addresses.values() for address in found]
        self._certificate = authority.good(["control.test", *names, *_PLAIN, *everywhere], label="situations")

    def start(self, passwords: dict[str, str]) -> None:
        """Start everything.

        Args:
            passwords: of each situation's user, by the situation's name.
        """
        users = [self._user(situation, passwords[situation.name]) for situation in self._situations]
        self.dovecot = self._dovecot(users)
        self.postfix = self._postfix(self.dovecot)
        self._radicale(users)
        self.wrapped = self._tcp_wrappers(users)
        self._haproxy()
        self._nginx()
        self._gate()
        self.guarded = self._guarded(users)
        for address in (sources.CUT_OFF_PROXY, sources.SWALLOWED_PROXY):
            self._closing.callback(proxies.microsocks(address).server.stop)

    def _start(self, server: Server) -> None:
        server.start()
        self._closing.callback(server.stop)

    def _of(self, wanted: Callable[[Situation], bool]) -> tuple[str, ...]:
        return tuple(a for s in self._situations if wanted(s) for a in self._addresses[s.name])

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        return folder

    def _user(self, situation: Situation, password: str) -> User:
        nets = (f"{source}/{128 if ':' in source else 32}" for source in situation.admitted)
        return User(situation.user, password, tuple(nets) if situation.allow_nets else ())

    def _named(self) -> dict[str, Certificate]:
        """The certificates that are to be refused, by the names that they are shown for."""
        make: dict[str, Callable[[str], Certificate]] = {
            "self-signed": lambda host: self._authority.self_signed([host]),
            "expired": lambda host: self._authority.expired([host]),
            "wrong-name": lambda host: self._authority.wrong_name(),
        }
        return {s.host: make[s.certificate](s.host) for s in self._situations if s.certificate}

    def _dovecot(self, users: Sequence[User]) -> Dovecot:
        dovecot = Dovecot(
            self._root / "imap",
            self._certificate,
            addresses=[*_PLAIN, *self._of(lambda s: s.imap is Imap.DOVECOT)],
            named=self._named(),
        )
        for user in users:
            dovecot.set_user(user)
        self._start(dovecot.server)
        return dovecot

    def _postfix(self, dovecot: Dovecot) -> Postfix:
        folder = self._folder("smtp")
        tables = self._folder("smtp-tables")
        more = "".join(
            services(tables, s.name, s.smtp, self._addresses[s.name], s.admitted)
            for s in self._situations
            if s.smtp not in {Smtp.NOTHING, Smtp.GUARDED}
        )
        postfix = Postfix(
            folder,
            self._certificate,
            dovecot,
            addresses=_PLAIN,
            named=self._named(),
            domains=[situation.user.partition("@")[2] for situation in self._situations],
            services=more,
        )
        self._start(postfix.server)
        return postfix

    def _guarded(self, users: Sequence[User]) -> dict[str, Guarded]:
        found = {
            s.name: Guarded(self._root / f"guarded-{s.name}", self._certificate, self._addresses[s.name], [user])
            for s, user in zip(self._situations, users, strict=True)
            if s.imap is Imap.GUARDED
        }
        # Each takes seconds, of which most are spent waiting.
        self._closing.callback(_all_at_once, Guarded.stop, found)
        _all_at_once(Guarded.start, found)
        return found

    def _radicale(self, users: Sequence[User]) -> None:
        if all(situation.dav is Dav.NOTHING for situation in self._situations):
            return
        addresses = [_PLAIN[0], *self._of(lambda s: s.dav is Dav.RADICALE)]
        self._start(Radicale(self._folder("dav"), self._certificate, users, addresses=addresses).server)

    def _tcp_wrappers(self, users: Sequence[User]) -> Dovecot | None:
        """A Dovecot with /etc/hosts.allow and /etc/hosts.deny of its own."""
        wrapped = [s for s in self._situations if s.imap is Imap.TCP_WRAPPERS]
        if not wrapped:
            return None
        folder = self._folder("wrapped-files")
        admitted = sorted({source for situation in wrapped for source in situation.admitted})
        listed = ", ".join(f"[{source}]" if ":" in source else source for source in admitted)
        (folder / "hosts.allow").write_text(f"ALL: {listed}\n")
        (folder / "hosts.deny").write_text("ALL: ALL\n")
        mounts = " && ".join(f"mount --bind {folder}/{name} /etc/{name}" for name in ("hosts.allow", "hosts.deny"))
        dovecot = Dovecot(
            self._root / "wrapped",
            self._certificate,
            addresses=self._of(lambda s: s.imap is Imap.TCP_WRAPPERS),
            extra=_TCP_WRAPPERS,
            within=["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"],
        )
        for user in users:
            dovecot.set_user(user)
        self._start(dovecot.server)
        return dovecot

    def _haproxy(self) -> None:
        fronts = [
            Front(s.name, s.imap, self._addresses[s.name], s.admitted) for s in self._situations if s.imap in _HAPROXY
        ]
        if fronts:
            self._start(haproxy(self._folder("haproxy"), fronts, _PLAIN[0]))

    def _nginx(self) -> None:
        sites = [
            Site(s.dav, self._addresses[s.name], s.admitted, on_993=s.imap is Imap.WEB)
            for s in self._situations
            if s.dav not in {Dav.NOTHING, Dav.RADICALE} or s.imap is Imap.WEB
        ]
        if sites:
            self._start(nginx(self._folder("nginx"), self._certificate, sites, _PLAIN[0]))

    def _gate(self) -> None:
        gates = [
            {"addresses": self._addresses[s.name], "admitted": s.admitted}
            for s in self._situations
            if s.imap is Imap.BYE
        ]
        if not gates:
            return
        configuration = self._folder("gate") / "gate.json"
        wanted = {
            "certificate": str(self._certificate.chain),
            "key": str(self._certificate.key),
            "behind": _PLAIN[0],
            "gates": gates,
        }
        configuration.write_text(json.dumps(wanted))
        # -P: a file beside it named as one of the standard library's modules is not that module.
        argv = [sys.executable, "-P", str(Path(__file__).with_name("gate.py")), str(configuration)]
        self._start(Server("gate", argv, ready="ready", namespace=SERVERS))


def _all_at_once(do: Callable[[Guarded], None], guarded: dict[str, Guarded]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(do, guarded.values()))
