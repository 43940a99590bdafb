"""Real SOCKS and HTTP proxies, each leaving from an address of its own that Mooring's host does not have."""

from dataclasses import dataclass
from pathlib import Path

from tests.lab.namespaces import PROXIES, program
from tests.lab.processes import Server


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy.

    Attributes:
        url: what a source's ``via`` says.
        address: where it listens, and what the far side sees.
    """

    server: Server
    url: str
    address: str


_DANTED = """
logoutput: stdout
internal: {address} port = 1080
external: {address}
clientmethod: none
socksmethod: {method}
user.privileged: root
user.unprivileged: nobody
client pass {{
  from: 0/0 to: 0/0
}}
socks {verdict} {{
  from: 0/0 to: 0/0
  log: connect error
}}
"""

_TINYPROXY = """
Port 3128
Listen {address}
Bind {address}
Timeout 600
MaxClients 200
LogLevel Connect
{auth}
{ports}
"""

_SQUID = """
http_port {address}:3128
tcp_outgoing_address {address}
acl connect method CONNECT
http_access {verdict} connect
http_access deny all
cache deny all
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
pid_filename none
coredump_dir {folder}
shutdown_lifetime 0 seconds
visible_hostname proxy.lab.test
forwarded_for delete
"""


def dante(folder: Path, address: str, *, refuses: bool = False) -> Proxy:
    """Dante's SOCKS5 server without authentication; one that refuses answers every CONNECT with "not allowed"."""
    configuration = folder / "danted.conf"
    folder.mkdir(parents=True, exist_ok=True)
    configuration.write_text(_DANTED.format(address=address, method="none", verdict="block" if refuses else "pass"))
    argv = [program("danted", package="dante-server"), "-f", str(configuration)]
    return _start("danted", argv, f"socks5://{address}:1080", address, ready=r"running")


def microsocks(address: str, *, user: str = "", password: str = "") -> Proxy:
    """The SOCKS5 server microsocks, with a password or without."""
    argv = [program("microsocks", package="microsocks"), "-i", address, "-p", "1080", "-b", address]
    if user:
        argv += ["-u", user, "-P", password]
    login = f"{user}:{password}@" if user else ""
    return _start("microsocks", argv, f"socks5://{login}{address}:1080", address, port=1080)


def tinyproxy(folder: Path, address: str, *, user: str = "", password: str = "", refuses: bool = False) -> Proxy:
    """The HTTP proxy Tinyproxy, with a password or without; one that refuses answers every CONNECT with 403."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "tinyproxy.conf"
    auth = f"BasicAuth {user} {password}" if user else ""
    configuration.write_text(_TINYPROXY.format(address=address, auth=auth, ports="ConnectPort 1" if refuses else ""))
    login = f"{user}:{password}@" if user else ""
    argv = [program("tinyproxy", package="tinyproxy-bin"), "-d", "-c", str(configuration)]
    return _start("tinyproxy", argv, f"http://{login}{address}:3128", address, port=3128)


def squid(folder: Path, address: str, *, refuses: bool = False) -> Proxy:
    """The HTTP proxy Squid; one that refuses answers every CONNECT with 403."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    configuration = folder / "squid.conf"
    configuration.write_text(_SQUID.format(address=address, folder=folder, verdict="deny" if refuses else "allow"))
    argv = [program("squid", package="squid"), "-N", "-d", "1", "-f", str(configuration)]
    return _start("squid", argv, f"http://{address}:3128", address, port=3128)


def _start(name: str, argv: list[str], url: str, address: str, *, ready: str = "", port: int = 0) -> Proxy:
    server = Server(name, argv, ready=ready, port=port, namespace=PROXIES)
    server.start()
    return Proxy(server, url, address)
