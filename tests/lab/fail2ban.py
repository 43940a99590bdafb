"""A real fail2ban with Debian's defaults: who is banned, and what counted against whom."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.lab.namespaces import SERVERS, inside, program, run
from tests.lab.processes import PATIENCE_S, Server
from tests.waiting import until

_DEBIAN = Path("/etc/fail2ban")

_SERVER = """
[DEFAULT]
loglevel = INFO
logtarget = STDOUT
socket = {folder}/socket
pidfile = {folder}/pid
dbfile = None
"""

#: All else is Debian's: five failures within ten minutes, banned for ten. It bans by nftables, as its own host would:
#: there are other servers in this namespace.
_JAILS = """
[DEFAULT]
banaction = nftables[type=custom, table={table}, rule_match-custom="ip daddr \\{{ {hosts} \\}} meta l4proto tcp"]
[dovecot]
enabled = true
mode = {mode}
backend = polling
logpath = {dovecot}
[postfix]
enabled = true
mode = {mode}
backend = polling
logpath = {postfix}
"""

_FOUND = re.compile(r"\[(?P<jail>\w+)\] Found (?P<ip>\S+)")

#: Lines as the two servers log a login that failed; see ``caught_up``. The address is of nobody (RFC 5737).
_SENTINELS = {
    "dovecot": "imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs): user=<x>, method=PLAIN, rip={ip}",
    "postfix": "mail postfix/submission/smtpd[1]: warning: unknown[{ip}]: SASL PLAIN authentication failed: no",
}


class Fail2ban:
    """One fail2ban, with the jails ``dovecot`` and ``postfix`` over two files.

    Args:
        addresses: of the host that it guards, IPv4.
        logs: the file of each jail; both must exist.
        mode: of the filters: ``aggressive``, ``normal``, …
    """

    def __init__(
        self, folder: Path, logs: dict[str, Path], addresses: Sequence[str], *, mode: str = "aggressive"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._socket = folder / "socket"
        self._logs = logs
        self._asked = 0
        self._table = f"f2b-{addresses[0].replace('.', '-')}"
        self._client = program("fail2ban-client", package="fail2ban")
        for name in ("action.d", "filter.d", "fail2ban.conf", "jail.conf", "paths-common.conf", "paths-debian.conf"):
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(_DEBIAN / name)
        (folder / "fail2ban.local").write_text(_SERVER.format(folder=folder))
        (folder / "jail.local").write_text(
            _JAILS.format(mode=mode, table=self._table, hosts=", ".join(addresses), **logs)
        )
        command = program("fail2ban-server", package="fail2ban")
        argv = [command, "-f", "-x", "-c", str(folder), "-s", str(self._socket), "-p", str(folder / "pid"), "start"]
        self.server = Server(
            "fail2ban",
            argv,
            ready=r"Jail 'postfix' started",
            namespace=SERVERS,
            environment={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )

    def banned(self, jail: str) -> set[str]:
        """Who is banned now."""
        return set(self._ask("get", jail, "banip").split())

    def wait_for_ban(self, address: str) -> None:
        """Return when its firewall refuses this address."""
        until(lambda: self._is_refused(address), timeout_s=PATIENCE_S, what=f"fail2ban has banned {address}")

    def unban(self) -> None:
        """Forgive everyone."""
        self._ask("unban", "--all")

    async def failures(self, *, since: int = 0) -> dict[str, Counter[str]]:
        """How many lines counted against each address, by jail, once everything that is in the files has been read.

        Args:
            since: a ``mark`` of its log.
        """
        await self.caught_up()
        found: dict[str, Counter[str]] = {jail: Counter() for jail in self._logs}
        for line in self.server.log(since=since):
            if (match := _FOUND.search(line)) and not match["ip"].startswith("192.0.2."):
                found[match["jail"]][match["ip"]] += 1
        return found

    async def caught_up(self) -> None:
        """Return when it has read all that the files hold now: a line at their end has been counted."""
        self._asked += 1
        ip = f"192.0.2.{self._asked}"
        since = self.server.mark()
        for jail, log in self._logs.items():
            stamp = run("date", "+%b %d %H:%M:%S").strip()
            with log.open("a") as file:
                file.write(f"{stamp} {_SENTINELS[jail].format(ip=ip)}\n")
            await self.server.line(rf"\[{jail}\] Found {re.escape(ip)}", since=since)

    def _is_refused(self, address: str) -> bool:
        tables = run(*inside(SERVERS), program("nft", package="nftables"), "list", "ruleset", "inet")
        mine = tables.partition(f"table inet {self._table} {{")[2].partition("\n}")[0]
        return re.search(rf"\b{re.escape(address)}\b", mine) is not None

    def _ask(self, *words: str) -> str:
        return run(*inside(SERVERS), self._client, "-s", str(self._socket), *words)


def counted(lines: Sequence[str], jail: str, folder: Path, *, mode: str = "aggressive") -> list[str]:
    """Which lines of a log would count against somebody, by the filter that Debian has for this jail."""
    log = folder / f"{jail}.counted"
    log.write_text("".join(f"{line}\n" for line in lines))
    said = run(program("fail2ban-regex", package="fail2ban"), "-o", "msg", str(log), f"{jail}[mode={mode}]")
    return said.splitlines()
