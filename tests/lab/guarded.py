"""Dovecot and Postfix with their own delays for failed logins, and a fail2ban that reads their logs."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab.certificates import Certificate
from tests.lab.dovecot import Dovecot, User
from tests.lab.fail2ban import Fail2ban
from tests.lab.postfix import Postfix
from tests.lab.processes import Server

#: Over the laboratory's usual configuration, which does not slow anyone down: Dovecot's defaults.
_DOVECOT = """
auth_failure_delay = 2 secs
auth_verbose = no
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0600
  }
}
"""

#: The same of Postfix; nobody is exempt from its limits.
_POSTFIX = {
    "smtpd_error_sleep_time": "1s",
    "smtpd_client_connection_count_limit": "50",
    "smtpd_client_event_limit_exceptions": "",
}


@dataclass(frozen=True, slots=True)
class Record:
    """What the servers hold against an address.

    Attributes:
        dovecot, postfix: how many lines fail2ban counted in its jails of these names; five are a ban.
        banned: the jails that banned it.
        penalty: Dovecot's count of failed logins, each of which doubles the delay of the next one.
    """

    dovecot: int = 0
    postfix: int = 0
    banned: tuple[str, ...] = ()
    penalty: int = 0


class Guarded:
    """IMAP and SMTP on these IPv4 addresses, as long as the block lasts."""

    def __init__(
        self,
        folder: Path,
        certificate: Certificate,
        addresses: Sequence[str],
        users: Sequence[User],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self._closing = ExitStack()
        self.dovecot = Dovecot(folder / "imap", certificate, addresses=addresses, extra=_DOVECOT)
        for user in users:
            self.dovecot.set_user(user)
        self.postfix = Postfix(
            folder / "smtp",
            certificate,
            self.dovecot,
            addresses=addresses,
            domains=sorted({user.address.partition("@")[2] for user in users}),
            instead=_POSTFIX,
        )
        logs = {"dovecot": folder / "dovecot.log", "postfix": folder / "postfix.log"}
        for log in logs.values():
            log.touch()
        self.dovecot.server.log_file = logs["dovecot"]
        self.postfix.server.log_file = logs["postfix"]
        self.fail2ban = Fail2ban(folder / "fail2ban", logs, addresses)

    @property
    def servers(self) -> tuple[Server, Server, Server]:
        """In the order in which they start."""
        return self.dovecot.server, self.postfix.server, self.fail2ban.server

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start all of it; ``stop`` is for whoever does not use a block."""
        for server in self.servers:
            server.start()
            self._closing.callback(server.stop)

    def stop(self) -> None:
        """End all of it."""
        self._closing.close()

    def __exit__(self, *failure: object) -> None:
        self.stop()

    async def records(self) -> dict[str, Record]:
        """What is held against whom, of all that the two have logged; addresses without a spot are left out."""
        failures = await self.fail2ban.failures()
        penalties = self.penalties()
        banned = {jail: self.fail2ban.banned(jail) for jail in failures}
        known = {*failures["dovecot"], *failures["postfix"], *penalties, *banned["dovecot"], *banned["postfix"]}
        return {
            address: Record(
                dovecot=failures["dovecot"][address],
                postfix=failures["postfix"][address],
                banned=tuple(jail for jail, addresses in banned.items() if address in addresses),
                penalty=penalties.get(address, 0),
            )
            for address in sorted(known)
        }

    def penalties(self) -> dict[str, int]:
        """Dovecot's penalty of each address that has one; of IPv6 it knows networks of 48 bits only."""
        rows = (line.split() for line in self.dovecot.doveadm("penalty").splitlines()[1:])
        return {row[0]: int(row[1]) for row in rows if int(row[1])}
