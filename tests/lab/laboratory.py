"""The whole laboratory: what a test asks for is started at its first use and ends with the session."""

import os
import shutil
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from secrets import token_urlsafe
from typing import Self

from tests.lab import addresses as at
from tests.lab import proxies
from tests.lab.certificates import Authority, Certificate
from tests.lab.dovecot import Dovecot, User
from tests.lab.firewall import Firewall
from tests.lab.namespaces import Names, Network
from tests.lab.postfix import Postfix
from tests.lab.processes import Server
from tests.lab.proxies import Proxy
from tests.lab.radicale import Radicale


class Laboratory:
    """Network, names, certificates, firewall and servers.

    Args:
        root: where servers keep their files; the session's private /run if left out, so that nothing remains.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.network = Network()
        self.root = root or Path(os.environ["MOORING_LAB"])
        self.names = Names()
        self.firewall = Firewall()
        self._closing = ExitStack()
        self._proxies = 0

    def __enter__(self) -> Self:
        self.network.build()
        self._closing.callback(self.network.destroy)
        self.firewall.build()
        self.names.update(at.HOSTS)
        return self

    def __exit__(self, *failure: object) -> None:
        self._closing.close()

    @cached_property
    def authority(self) -> Authority:
        """Whom the laboratory's clients trust."""
        return Authority(self.root / "certificates")

    @property
    def trust(self) -> Path:
        """The file for SSL_CERT_FILE."""
        return self.authority.bundle

    @cached_property
    def certificate(self) -> Certificate:
        """What the servers show; it covers the names and the addresses of all of them."""
        addresses = (at.SERVER, at.SERVER_OTHER, at.SERVER_PUBLIC, at.SERVER6, at.SERVER_OTHER6)
        return self.authority.good((*at.CERTIFIED, *addresses))

    @cached_property
    def bad_certificates(self) -> dict[str, Certificate]:
        """What the servers show to those who ask for one of the names that are there for it."""
        expired, self_signed, wrong = at.BADLY_CERTIFIED
        return {
            expired: self.authority.expired([expired]),
            self_signed: self.authority.self_signed([self_signed]),
            wrong: self.authority.wrong_name(),
        }

    @cached_property
    def dovecot(self) -> Dovecot:
        """IMAP for ``mail.lab.test``."""
        server = Dovecot(self.root / "dovecot", self.certificate, named=self.bad_certificates)
        self._start(server.server)
        return server

    @cached_property
    def postfix(self) -> Postfix:
        """SMTP for ``mail.lab.test``; delivers into ``dovecot``."""
        server = Postfix(self.root / "postfix", self.certificate, self.dovecot, named=self.bad_certificates)
        self._start(server.server)
        return server

    @cached_property
    def radicale(self) -> Radicale:
        """CalDAV for ``dav.lab.test``, with the users of ``dovecot``."""
        server = Radicale(self.root / "radicale", self.certificate, self.dovecot.users())
        self._start(server.server)
        return server

    def another_dovecot(self, name: str, *, address: str = at.SERVER_OTHER, capability: str = "") -> Dovecot:
        """One more IMAP server, without users, on an address of its own."""
        server = Dovecot(self.root / name, self.certificate, addresses=[address], capability=capability)
        self._start(server.server)
        return server

    def user(self, name: str, *, domain: str = "lab.test", allow_nets: tuple[str, ...] = ()) -> User:
        """A new mailbox with a password of its own, known to Dovecot and, where they run, to Postfix and Radicale."""
        user = self.dovecot.set_user(User(f"{name}@{domain}", token_urlsafe(12), allow_nets))
        if "postfix" in self.__dict__:
            self.postfix.reload()
        if "radicale" in self.__dict__:
            self.radicale.set_users(self.dovecot.users())
        return user

    def dante(self, address: str = at.PROXIES[0], *, refuses: bool = False) -> Proxy:
        """A SOCKS5 proxy that asks for no password."""
        return self._keep(proxies.dante(self._proxy_folder(), address, refuses=refuses))

    def microsocks(self, address: str = at.PROXIES[1], *, user: str = "", password: str = "") -> Proxy:
        """A SOCKS5 proxy that can ask for a password."""
        return self._keep(proxies.microsocks(address, user=user, password=password))

    def tinyproxy(
        self, address: str = at.PROXIES[2], *, user: str = "", password: str = "", refuses: bool = False
    ) -> Proxy:
        """An HTTP proxy that can ask for a password."""
        return self._keep(
            proxies.tinyproxy(self._proxy_folder(), address, user=user, password=password, refuses=refuses)
        )

    def squid(self, address: str = at.PROXIES[3], *, refuses: bool = False) -> Proxy:
        """An HTTP proxy that asks for no password."""
        return self._keep(proxies.squid(self._proxy_folder(), address, refuses=refuses))

    def folder(self, name: str) -> Path:
        """An empty folder for whatever else a test starts."""
        place = self.root / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def _proxy_folder(self) -> Path:
        self._proxies += 1
        return self.root / f"proxy-{self._proxies}"

    def _keep(self, proxy: Proxy) -> Proxy:
        self._closing.callback(proxy.server.stop)
        return proxy

    def _start(self, server: Server) -> None:
        server.start()
        self._closing.callback(server.stop)
