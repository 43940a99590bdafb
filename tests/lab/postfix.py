"""A real Postfix: submission on 587 and 465, mail between servers on 25, delivery into Dovecot."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import addresses as at
from tests.lab.certificates import Certificate
from tests.lab.dovecot import Dovecot
from tests.lab.namespaces import SERVERS, inside, program, run
from tests.lab.postfix_conf import MASTER, main
from tests.lab.processes import Server
from tests.waiting import until

_CONNECT = re.compile(r"postfix/(?P<service>\w+)/smtpd\[\d+\]: connect from \S*\[(?P<ip>[^\]]+)\]")
_SENT = re.compile(r"postfix/lmtp\[\d+\]: \w+: to=<(?P<to>[^>]+)>.*status=sent")


@dataclass(frozen=True, slots=True)
class Connection:
    """Somebody connected, as Postfix logged it.

    Attributes:
        service: ``smtp`` (25), ``submission`` (587) or ``submissions`` (465).
    """

    service: str
    remote_ip: str


class Postfix:
    """One Postfix instance; its users and passwords are Dovecot's.

    Args:
        named: certificates that are shown for a server name instead of the usual one.
        domains: whose mail is delivered here; mail for any other is refused at RCPT, as there is no way out.
        services: more lines of master.cf.
        instead: settings of main.cf in place of the usual ones.
    """

    def __init__(
        self,
        folder: Path,
        certificate: Certificate,
        dovecot: Dovecot,
        *,
        addresses: Sequence[str] = (at.SERVER, at.SERVER6, at.SERVER_PUBLIC),
        named: Mapping[str, Certificate] | None = None,
        domains: Sequence[str] = ("lab.test",),
        services: str = "",
        instead: Mapping[str, str] | None = None,
    ) -> None:
        self._postfix = program("postfix", package="postfix")
        self._postmap = program("postmap", package="postfix")
        self._dovecot = dovecot
        self._conf = folder / "conf"
        self._conf.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        for name in ("queue", "data"):
            (folder / name).mkdir(exist_ok=True)
        shutil.chown(folder / "data", "postfix")
        text = main(folder, certificate, dovecot, addresses=addresses, domains=domains)
        for key, value in (instead or {}).items():
            text, _ = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        (self._conf / "main.cf").write_text(text)
        (self._conf / "master.cf").write_text(MASTER + services)
        self._write_names(named or {})
        self._refused: dict[str, str] = {}
        self._write_recipients()
        self._write_refused()
        self.server = Server(
            "postfix",
            [self._postfix, "-c", str(self._conf), "start-fg"],
            ready=r"daemon started",
            stop=[self._postfix, "-c", str(self._conf), "stop"],
            namespace=SERVERS,
        )

    def reload(self) -> None:
        """Take up new users of Dovecot."""
        self._write_recipients()
        self._reload()

    def refuse_clients(self, answers: Mapping[str, str]) -> None:
        """Answer RCPT from these addresses as told, for example ``{"10.99.0.20": "554 5.7.1 not from there"}``."""
        self._refused = dict(answers)
        self._write_refused()
        self._reload()

    def connections(self, *, since: int = 0) -> list[Connection]:
        """Who connected to which service, in order."""
        found = (_CONNECT.search(line) for line in self.server.log(since=since))
        return [Connection(match["service"], match["ip"]) for match in found if match]

    def remote_addresses(self, *, since: int = 0) -> set[str]:
        """Every address that connected."""
        return {connection.remote_ip for connection in self.connections(since=since)}

    async def delivered(self, recipient: str, *, since: int = 0) -> None:
        """Return when a message has reached the recipient's mailbox."""
        await self.server.line(rf"to=<{re.escape(recipient)}>.*status=sent", since=since)

    def deliveries(self, *, since: int = 0) -> list[str]:
        """The recipients whose mailboxes messages have reached, one for each message."""
        found = (_SENT.search(line) for line in self.server.log(since=since))
        return [match["to"] for match in found if match]

    def _reload(self) -> None:
        """Have all tables read anew: those who have the old ones, and may be waiting for a connection, are gone."""
        if not self.server.running:
            return
        old = self.server.running_as("smtpd")
        run(*inside(SERVERS), self._postfix, "-c", str(self._conf), "reload")
        until(lambda: not old & self.server.running_as("smtpd"), timeout_s=30, what="the old smtpd have ended")

    def _write_recipients(self) -> None:
        lines = (f"{user.address} ok\n" for user in self._dovecot.users())
        (self._conf / "recipients").write_text("".join(lines))

    def _write_refused(self) -> None:
        lines = (f"{address} {answer}\n" for address, answer in self._refused.items())
        (self._conf / "refused").write_text("".join(lines))

    def _write_names(self, named: Mapping[str, Certificate]) -> None:
        lines = (f"{name} {shown.key} {shown.chain}\n" for name, shown in named.items())
        (self._conf / "names").write_text("".join(lines))
        run(*inside(SERVERS), self._postmap, "-c", str(self._conf), "-F", f"hash:{self._conf / 'names'}")
