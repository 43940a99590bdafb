"""The laboratory's network: Mooring's interface, the servers' namespace, the proxies' namespace.

    this namespace            lab-servers                 lab-proxies
    lab0 10.99.0.10 …  ─veth─  lab0 10.99.0.1, .2, 45.99.0.1
                               lab1 10.99.1.1     ─veth─   lab0 10.99.1.40 …

The servers' namespace forwards between the two, and its firewall guards what is addressed to itself.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.lab import addresses as at

SERVERS = "lab-servers"
PROXIES = "lab-proxies"
INTERFACE = "lab0"


class MissingTool(Exception):
    """A program that the laboratory runs is not installed; the message is the line that installs it."""


def program(name: str, *, package: str) -> str:
    """The path of a program, or MissingTool with the apt line."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise MissingTool(f"{name} is not installed; install it with: apt-get install {package}")
    return found


def inside(namespace: str) -> list[str]:
    """The words before a command that make it run in a network namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def run(*argv: str, stdin: str | None = None) -> str:
    """Run a short command; its output, or an error that holds its words."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Names:
    """The session's private /etc/hosts."""

    def __init__(self, file: Path = Path("/etc/hosts")) -> None:
        self._file = file
        self._base = file.read_text()
        self._names: dict[str, tuple[str, ...]] = {}

    def set(self, name: str, *addresses: str) -> None:
        """From now on the name means these addresses; without any, it no longer exists."""
        if addresses:
            self._names[name] = addresses
        else:
            self._names.pop(name, None)
        self._write()

    def update(self, names: dict[str, tuple[str, ...]]) -> None:
        """Several names at once."""
        self._names.update(names)
        self._write()

    def _write(self) -> None:
        lines = (f"{address} {name}\n" for name, addresses in self._names.items() for address in addresses)
        data = (self._base + "".join(lines)).encode()
        # In place, as the file is bind-mounted; never empty in between, as others resolve meanwhile.
        descriptor = os.open(self._file, os.O_WRONLY)
        try:
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))
        finally:
            os.close(descriptor)


class Network:
    """Interfaces, addresses and routes of the laboratory."""

    def __init__(self) -> None:
        if "MOORING_LAB" not in os.environ:
            raise RuntimeError(
                "tests with real servers run inside scripts/in-namespace, for example: make test-servers, or "
                "scripts/in-namespace .venv/bin/python -m pytest tests/servers"
            )
        self._ip = program("ip", package="iproute2")
        program("nsenter", package="util-linux")

    def build(self) -> None:
        """Make the namespaces and join them."""
        self._batch(
            f"netns add {SERVERS}",
            f"netns add {PROXIES}",
            f"link add {INTERFACE} type veth peer name {INTERFACE} netns {SERVERS}",
        )
        self._batch(f"link add lab1 type veth peer name {INTERFACE} netns {PROXIES}", namespace=SERVERS)
        self._settle_kernel()
        self._build_ours()
        self._build_servers()
        self._build_proxies()

    def destroy(self) -> None:
        """Take the namespaces away; the joints go with them."""
        # The link by itself, and now: the kernel takes what is in a deleted namespace away when it finds the time.
        self._batch(f"link delete {INTERFACE}", f"netns delete {SERVERS}", f"netns delete {PROXIES}")

    def plumb(self, address: str) -> None:
        """Give Mooring's host one more address."""
        self._batch(f"addr add {_host(address)} dev {INTERFACE}{_nodad(address)}")

    def unplumb(self, address: str) -> None:
        """Take an address away from Mooring's host, as a failed NIC or a wrong ``ip addr del`` would."""
        self._batch(f"addr del {_host(address)} dev {INTERFACE}")

    def _build_ours(self) -> None:
        bound = (*at.STATIC, *at.DYNAMIC, *at.OTHER, *at.STATIC6, *at.DYNAMIC6, *at.OTHER6)
        self._batch(
            f"addr add {at.UNBOUND}/24 dev {INTERFACE}",
            f"addr add {at.UNBOUND6}/64 dev {INTERFACE} nodad",
            *(f"addr add {_host(address)} dev {INTERFACE}{_nodad(address)}" for address in bound),
            f"link set {INTERFACE} up",
            f"route add 10.99.1.0/24 via {at.SERVER}",
            f"route add {at.SERVER_PUBLIC}/32 via {at.SERVER}",
            f"route replace fd99::/64 dev {INTERFACE} src {at.UNBOUND6} metric 1",
        )

    def _build_servers(self) -> None:
        self._batch(
            "link set lo up",
            f"addr add {at.SERVER}/24 dev {INTERFACE}",
            f"addr add {at.SERVER_OTHER}/24 dev {INTERFACE}",
            f"addr add {at.SERVER_PUBLIC}/32 dev lo",
            f"addr add {at.SERVER6}/64 dev {INTERFACE} nodad",
            f"addr add {at.SERVER_OTHER6}/64 dev {INTERFACE} nodad",
            f"addr add {at.PROXY_GATEWAY}/24 dev lab1",
            f"link set {INTERFACE} up",
            "link set lab1 up",
            namespace=SERVERS,
        )

    def _build_proxies(self) -> None:
        self._batch(
            "link set lo up",
            *(f"addr add {address}/24 dev {INTERFACE}" for address in at.PROXIES),
            f"link set {INTERFACE} up",
            f"route add default via {at.PROXY_GATEWAY}",
            namespace=PROXIES,
        )

    def _settle_kernel(self) -> None:
        """IPv6 on, forwarding on, and no rate limit on the firewall's ICMP answers."""
        wanted = {
            "net/ipv6/conf/all/disable_ipv6": "0",
            "net/ipv4/ip_forward": "1",
            "net/ipv4/icmp_ratelimit": "0",
            "net/ipv6/icmp/ratelimit": "0",
        }
        write = "; ".join(f"echo {value} > /proc/sys/{key}" for key, value in wanted.items())
        run(*inside(SERVERS), "sh", "-e", "-c", write)
        Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("0")

    def _batch(self, *lines: str, namespace: str | None = None) -> None:
        where = inside(namespace) if namespace else []
        run(*where, self._ip, "-batch", "-", stdin="\n".join(lines) + "\n")


def _host(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""
