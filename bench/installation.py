"""A Mooring of the benchmark's own, run as an operator runs it, and what its processes use."""

import os
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.lab import Laboratory, User
from tests.lab.processes import descendants
from tests.running import Running, configuration

PORT = 8080
"""Free: the benchmark is alone in its network namespace."""
UNCAPPED = "connections_per_source_and_server = 5000\n"
"""Every mailbox keeps its session: turns are not what is measured."""


@contextmanager
def running(lab: Laboratory, *, webhook: Sequence[str] = ()) -> Generator[Running]:
    """``mooring up`` in an empty folder on this machine's disk, with the laboratory's addresses."""
    with tempfile.TemporaryDirectory(prefix="mooring-bench-") as folder:
        mooring = Running(Path(folder), PORT, lab.trust)
        (mooring.folder / "mooring.toml").write_text(configuration(PORT, webhook=webhook, extra=UNCAPPED))
        mooring.start()
        try:
            yield mooring
        finally:
            mooring.stop()


def client(mooring: Running) -> httpx.Client:
    """An HTTP client that speaks for the first application."""
    return httpx.Client(base_url=mooring.url, headers={"Authorization": f"Bearer {mooring.api_key}"}, timeout=60)


def connect(api: httpx.Client, user: User) -> str:
    """Connect a mailbox by the API; returns the grant's id as soon as the answer is there."""
    settings = {
        "imap_host": "imap.lab.test",
        "imap_port": 993,
        "imap_username": user.address,
        "imap_password": user.password,
    }
    answer = api.post("/v3/connect/custom", json={"provider": "imap", "settings": settings})
    answer.raise_for_status()
    return str(answer.json()["data"]["id"])


def sync_state(api: httpx.Client, grant: str) -> str:
    """``pending``, ``ok`` or ``failing``."""
    return str(api.get(f"/v3/grants/{grant}").raise_for_status().json()["data"]["sync"]["state"])


def process(mooring: Running, kind: str) -> int:
    """The process id of the ``api`` or the ``worker`` that this ``mooring up`` runs."""
    assert mooring.process is not None
    for pid in descendants(mooring.process.pid):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if kind.encode() in words and b"--supervised" in words:
            return pid
    raise RuntimeError(f"`mooring up` runs no {kind}")


def resident_kib(pid: int) -> int:
    """Resident memory of a process and of all that it has started."""
    return sum(_resident_kib(member) for member in descendants(pid))


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and its children have used, those that ended included."""
    return sum(_cpu_s(member) for member in descendants(pid))


def settled(pid: int, *, below: float = 0.15, timeout_s: float = 120.0) -> None:
    """Return once the process uses less than this share of a processor, two seconds long."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        before = cpu_s(pid)
        time.sleep(2)
        if cpu_s(pid) - before < 2 * below:
            return
    raise TimeoutError(f"process {pid} did not come to rest within {timeout_s} s")


def _resident_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # utime, stime, and the same of children that were waited for: fields 14 to 17 of proc_pid_stat(5).
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
