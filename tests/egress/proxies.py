"""The real proxies of this floor, as processes without any privilege on addresses of 127.0.3.x."""

import getpass
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from mooring.net.listener import free_port
from tests.lab.processes import listening
from tests.waiting import until

#: What a proxy's own connection to the target leaves from: what the target must see.
EXIT = "127.0.3.9"

_DANTED = """
logoutput: stderr
internal: {listen} port = {port}
external: {exit}
clientmethod: none
socksmethod: none
user.unprivileged: {user}
client pass {{ from: 0/0 to: 0/0 }}
socks {verdict} {{ from: 0/0 to: 0/0 log: error }}
"""

_TINYPROXY = """
Port {port}
Listen {listen}
Bind {exit}
Timeout 600
{auth}
{ports}
"""

_SQUID = """
http_port {listen}:{port}
tcp_outgoing_address {exit}
acl connect method CONNECT
http_access {verdict} connect
http_access deny all
cache deny all
access_log none
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
shutdown_lifetime 0 seconds
connect_timeout 30 seconds
visible_hostname proxy.test
"""


@dataclass
class Proxies:
    """Starts proxies on one address."""

    folder: Path
    listen: str
    running: list[tuple[subprocess.Popen[str], threading.Thread]] = field(default_factory=list)

    def danted(self, *, refuses: bool = False, exit_address: str = EXIT) -> int:
        """Dante; one that refuses answers every CONNECT with "not allowed by ruleset". Returns its port."""
        port = free_port(IPv4Address(self.listen))
        verdict = "block" if refuses else "pass"
        text = _DANTED.format(listen=self.listen, port=port, exit=exit_address, verdict=verdict, user=_user())
        return self._start("danted", "dante-server", port, ["-f", str(self._write(f"danted-{port}", text))])

    def microsocks(self, *, user: str = "", password: str = "") -> int:
        """Microsocks, with a password or without; returns its port."""
        port = free_port(IPv4Address(self.listen))
        login = ["-u", user, "-P", password] if user else []
        return self._start("microsocks", "microsocks", port, ["-i", self.listen, "-p", str(port), "-b", EXIT, *login])

    def tinyproxy(self, *, user: str = "", password: str = "", refuses: bool = False) -> int:
        """Tinyproxy; one that refuses answers every CONNECT with 403. Returns its port."""
        port = free_port(IPv4Address(self.listen))
        auth = f"BasicAuth {user} {password}" if user else ""
        ports = "ConnectPort 1" if refuses else ""
        text = _TINYPROXY.format(listen=self.listen, port=port, exit=EXIT, auth=auth, ports=ports)
        return self._start(
            "tinyproxy", "tinyproxy-bin", port, ["-d", "-c", str(self._write(f"tinyproxy-{port}", text))]
        )

    def squid(self, *, refuses: bool = False) -> int:
        """Squid; one that refuses answers every CONNECT with 403. Returns its port."""
        port = free_port(IPv4Address(self.listen))
        folder = self.folder / f"squid-{port}"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        verdict = "deny" if refuses else "allow"
        text = _SQUID.format(listen=self.listen, port=port, exit=EXIT, verdict=verdict, folder=folder)
        return self._start("squid", "squid", port, ["-N", "-f", str(self._write(f"squid-{port}.conf", text))])

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def _start(self, name: str, package: str, port: int, arguments: Sequence[str]) -> int:
        program = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            raise RuntimeError(f"{name} is not installed; apt-get install {package}")
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        said: list[str] = []
        reader = threading.Thread(target=_read, args=(process, said), daemon=True)
        reader.start()
        self.running.append((process, reader))

        def ready() -> bool:
            assert process.poll() is None, f"{name} ended at once; it said:\n{''.join(said)}"
            return listening(process.pid, port)

        until(ready, timeout_s=20, what=f"{name} listens on {port}")
        return port


@contextmanager
def proxies(folder: Path, listen: str) -> Generator[Proxies]:
    """Proxies that are gone, with what they started, when the block ends."""
    held = Proxies(folder, listen)
    try:
        yield held
    finally:
        for process, reader in held.running:
            _end(process)
            reader.join(10)


def _read(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        said.extend(lines)


def _end(process: subprocess.Popen[str]) -> None:
    # danted and tinyproxy serve from children of their own.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def _user() -> str:
    """Who a proxy is that gives its rights away: nobody where it has any, else whoever we are."""
    return "nobody" if os.geteuid() == 0 else getpass.getuser()
