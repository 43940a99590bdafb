"""A real Dovecot: IMAP for the clients, LMTP and SASL for Postfix, and its own word on who was there."""

import os
import re
import smtplib
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.lab import addresses as at
from tests.lab.certificates import Certificate
from tests.lab.dovecot_conf import configuration
from tests.lab.mailbox import Deposit, Storable, Stored, opened
from tests.lab.namespaces import SERVERS, program, run
from tests.lab.processes import PATIENCE_S, Server

#: The first user id of a mailbox. Each has one of its own, as the kernel counts inotify instances (128) by user.
_FIRST_UID = 300_000

_PEER = re.compile(r"user=<(?P<user>[^>]*)>.*?\brip=(?P<rip>[^,\s]+)")


@dataclass(frozen=True, slots=True)
class User:
    """A mailbox and what opens it.

    Attributes:
        allow_nets: networks that the login is accepted from (Dovecot's own filter); none means all.
    """

    address: str
    password: str = field(repr=False)
    allow_nets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """What Dovecot logged about one connection's end of the login phase."""

    user: str
    remote_ip: str
    ok: bool
    line: str


class Dovecot:
    """One Dovecot instance on its own addresses, with ports 143 (STARTTLS) and 993 (TLS).

    Args:
        folder: for configuration, sockets and mail; a short path, as unix sockets are limited to 107 bytes.
        named: certificates that are shown for a server name instead of the usual one.
        capability: what the server claims instead of all that it can, to play a poorer one.
        plaintext: whether it accepts a password without TLS.
        hibernate_s: idle sessions are parked after so many seconds; 0 never.
        extra: more configuration, which stands over the usual one.
        within: the words of a command that starts it, such as one that gives it files of its own.
    """

    def __init__(
        self,
        folder: Path,
        certificate: Certificate,
        *,
        addresses: Sequence[str] = (at.SERVER, at.SERVER6, at.SERVER_PUBLIC),
        named: dict[str, Certificate] | None = None,
        capability: str = "",
        plaintext: bool = False,
        hibernate_s: int = 0,
        extra: str = "",
        within: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._users: dict[str, User] = {}
        self._uids: dict[str, int] = {}
        self._doveadm = program("doveadm", package="dovecot-core")
        program("/usr/lib/dovecot/imap", package="dovecot-imapd")
        program("/usr/lib/dovecot/lmtp", package="dovecot-lmtpd")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        (folder / "mail").mkdir(exist_ok=True)
        self._file = folder / "dovecot.conf"
        self._passwd = folder / "users"
        self._passwd.mkdir(exist_ok=True)
        self._file.write_text(
            configuration(
                folder,
                certificate,
                addresses=addresses,
                named=named or {},
                capability=capability,
                plaintext=plaintext,
                hibernate_s=hibernate_s,
            )
            + extra
        )
        self.server = Server(
            "dovecot",
            [*within, program("dovecot", package="dovecot-core"), "-F", "-c", str(self._file)],
            ready=r"starting up for",
            namespace=SERVERS,
        )

    @property
    def lmtp_socket(self) -> Path:
        """Where Postfix delivers."""
        return self._folder / "run" / "lmtp"

    @property
    def sasl_socket(self) -> Path:
        """Where Postfix asks whether a password is right."""
        return self._folder / "run" / "auth-client"

    def set_user(self, user: User) -> User:
        """Make a mailbox, or change its password or its networks; live."""
        known = user.address in self._uids
        if not known:
            self._uids[user.address] = _FIRST_UID + len(self._uids)
            home = self._home(user.address)
            home.mkdir()
            os.chown(home, self._uids[user.address], self._uids[user.address])
        self._users[user.address] = user
        entry = self._passwd / user.address
        before = entry.stat().st_mtime_ns if known else 0
        entry.write_text(self._passwd_line(user))
        if known:
            # Dovecot compares the file's time in whole seconds, and looks once in each second of the clock.
            later = max(entry.stat().st_mtime_ns, before + 1_000_000_000)
            os.utime(entry, ns=(later, later))
            time.sleep(1 - time.time() % 1)
        return user

    def users(self) -> list[User]:
        """Every mailbox."""
        return list(self._users.values())

    def append(
        self, user: str, folder: str, raw: bytes, *, flags: Sequence[str] = (), date: datetime | None = None
    ) -> int:
        """Store one message; its UID."""
        return self.append_many(user, folder, [Deposit(raw, flags, date)])[0]

    def append_many(self, user: str, folder: str, deposits: Iterable[Storable]) -> list[int]:
        """Store many messages quickly; their UIDs."""
        with opened(self._imap(user)) as pipe:
            return pipe.append(folder, deposits)

    def messages(self, user: str, folder: str) -> list[Stored]:
        """What the server really holds, byte by byte."""
        with opened(self._imap(user)) as pipe:
            return list(pipe.messages(folder))

    def folders(self, user: str) -> set[str]:
        """The names of the user's folders, in the form that goes over the wire."""
        return set(self.doveadm("mailbox", "list", "-7", "-u", user).splitlines())

    def create(self, user: str, folder: str) -> None:
        """Make a folder and subscribe to it; any script."""
        self.doveadm("mailbox", "create", "-s", "-u", user, folder)

    def rename(self, user: str, folder: str, to: str) -> None:
        """Give a folder another name."""
        self.doveadm("mailbox", "rename", "-u", user, folder, to)

    def delete(self, user: str, folder: str) -> None:
        """Delete a folder and what is in it."""
        self.doveadm("mailbox", "delete", "-s", "-u", user, folder)

    def deliver(self, recipient: str, raw: bytes, *, sender: str = "") -> None:
        """Put a message into the inbox the way a mail server does, by LMTP."""
        with smtplib.LMTP(str(self.lmtp_socket)) as lmtp:
            lmtp.sendmail(sender, [recipient], raw)

    def expunge(self, user: str, folder: str, uids: Iterable[int]) -> None:
        """Delete messages for good, as another client would."""
        self.doveadm("expunge", "-u", user, "mailbox", folder, "uid", _set(uids))

    def move(self, user: str, folder: str, uids: Iterable[int], to: str) -> None:
        """Move messages to another folder, as another client would."""
        self.doveadm("move", "-u", user, to, "mailbox", folder, "uid", _set(uids))

    def copy(self, user: str, folder: str, uids: Iterable[int], to: str) -> None:
        """Copy messages to another folder, as another client would."""
        self.doveadm("copy", "-u", user, to, "mailbox", folder, "uid", _set(uids))

    def set_flags(self, user: str, folder: str, uids: Iterable[int], flags: Sequence[str]) -> None:
        """Replace the flags of messages."""
        self.doveadm("flags", "replace", "-u", user, " ".join(flags), "mailbox", folder, "uid", _set(uids))

    def change_uidvalidity(self, user: str, folder: str, value: int | None = None) -> int:
        """Give a folder another UIDVALIDITY, as a restored or rebuilt mailbox has; the new value."""
        new = value if value is not None else self.uidvalidity(user, folder) + 1
        self.doveadm("mailbox", "update", "--uid-validity", str(new), "-u", user, folder)
        return new

    def uidvalidity(self, user: str, folder: str) -> int:
        """The folder's UIDVALIDITY."""
        return int(self.doveadm("-f", "flow", "mailbox", "status", "-u", user, "uidvalidity", folder).split("=")[-1])

    def is_asleep(self, user: str) -> bool:
        """Whether every session of the user is parked: the processes that serve it run as its own system user."""
        uid = self._uids[user]
        return not any(_owner(process) == uid for process in Path("/proc").glob("[0-9]*"))

    def kick(self, user: str) -> None:
        """Cut every session of a user."""
        subprocess.run([self._doveadm, "-c", str(self._file), "kick", user], check=False, capture_output=True)

    def logins(self, *, since: int = 0) -> list[Login]:
        """Every login that succeeded or failed, in order, with the address that Dovecot saw."""
        return [login for line in self.server.log(since=since) if (login := _login(line)) is not None]

    def remote_addresses(self, *, since: int = 0) -> set[str]:
        """Every address that Dovecot spoke to, whether or not it tried to log in."""
        lines = self.server.log(since=since)
        return {found["rip"] for line in lines if "imap-login: " in line and (found := _PEER.search(line))}

    async def login(self, user: str, *, ok: bool = True, since: int = 0, timeout_s: float = PATIENCE_S) -> Login:
        """The first such login, as soon as it has happened."""
        word = "Login: " if ok else r"(?:Disconnected|Aborted login).*\(auth failed.*"
        line = await self.server.line(
            rf"imap-login: Info: {word}.*user=<{re.escape(user)}>|imap-login: Info: {word}user=<{re.escape(user)}>",
            since=since,
            timeout_s=timeout_s,
        )
        found = _login(line)
        assert found is not None
        return found

    def doveadm(self, *arguments: str) -> str:
        """What an administrator can do; options come before the command's name."""
        return run(self._doveadm, "-c", str(self._file), *arguments)

    def _imap(self, user: str) -> list[str]:
        return [self._doveadm, "-c", str(self._file), "exec", "imap", "-u", user]

    def _home(self, address: str) -> Path:
        return self._folder / "mail" / address

    def _passwd_line(self, user: User) -> str:
        uid = self._uids[user.address]
        nets = f"allow_nets={','.join(user.allow_nets)}" if user.allow_nets else ""
        return f"{user.address}:{{PLAIN}}{user.password}:{uid}:{uid}::{self._home(user.address)}::{nets}\n"


def _login(line: str) -> Login | None:
    if "imap-login: Info: " not in line or (peer := _PEER.search(line)) is None:
        return None
    if "imap-login: Info: Login: " in line:
        return Login(peer["user"], peer["rip"], ok=True, line=line)
    if "(auth failed" in line:
        return Login(peer["user"], peer["rip"], ok=False, line=line)
    return None


def _set(uids: Iterable[int]) -> str:
    return ",".join(str(uid) for uid in uids)


def _owner(process: Path) -> int | None:
    try:
        return process.stat().st_uid
    except FileNotFoundError:
        return None
