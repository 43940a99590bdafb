"""A real Radicale: CalDAV over TLS, and its own word on who asked."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab import addresses as at
from tests.lab.certificates import Certificate
from tests.lab.dovecot import User
from tests.lab.namespaces import SERVERS
from tests.lab.processes import Server

_REQUEST = re.compile(r"\] (?P<method>[A-Z]+) request for '(?P<path>[^']*)'.* received from (?P<ip>[0-9a-f.:]+)")

_CONFIGURATION = """
[server]
hosts = {hosts}
ssl = True
certificate = {certificate.chain}
key = {certificate.key}
max_connections = 100
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}/collections
[logging]
level = info
[web]
type = none
"""


class Radicale:
    """One Radicale instance on port 443, the port that a calendar's address means when it names none."""

    def __init__(
        self,
        folder: Path,
        certificate: Certificate,
        users: Sequence[User],
        *,
        addresses: Sequence[str] = (at.SERVER, at.SERVER6, at.SERVER_PUBLIC),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._users = folder / "users"
        self.set_users(users)
        hosts = ", ".join(f"[{address}]:443" if ":" in address else f"{address}:443" for address in addresses)
        configuration = folder / "radicale.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, certificate=certificate, hosts=hosts))
        self.server = Server(
            "radicale",
            [sys.executable, "-m", "radicale", "--config", str(configuration)],
            ready=r"Radicale server ready",
            namespace=SERVERS,
            environment={"PYTHONUNBUFFERED": "1"},
        )

    def set_users(self, users: Sequence[User]) -> None:
        """Make these the users; live, as Radicale reads the file with each request."""
        self._users.write_text("".join(f"{user.address}:{user.password}\n" for user in users))

    def remote_addresses(self, *, since: int = 0) -> set[str]:
        """Every address that a request came from."""
        return {ip for _, _, ip in self.requests(since=since)}

    def requests(self, *, since: int = 0) -> list[tuple[str, str, str]]:
        """Every request: method, path, address."""
        found = (_REQUEST.search(line) for line in self.server.log(since=since))
        return [(match["method"], match["path"], match["ip"]) for match in found if match]
