"""A real Radicale on 127.0.0.1, one for the session, with a user and nothing else."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_S = 30
"""Seconds. It takes about one."""


@dataclass(frozen=True)
class Radicale:
    """A running server.

    Attributes:
        url: its root.
        users: name and password of each.
    """

    url: str
    users: dict[str, str]


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    folder: Path = tmp_path_factory.mktemp("radicale")
    users = {"ann": "correct horse", "bob": "battery: stäple"}
    (folder / "users").write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "radicale", "--config", "", "--server-hosts", f"127.0.0.1:{port}"),
            *("--auth-type", "htpasswd", "--auth-htpasswd-filename", str(folder / "users")),
            *("--auth-htpasswd-encryption", "plain", "--auth-delay", "0"),
            *("--storage-filesystem-folder", str(folder / "collections")),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    log: list[str] = []
    ready = threading.Event()

    def follow() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if "server ready" in line:
                ready.set()
        ready.set()

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        assert ready.wait(READY_S), "".join(log)
        assert process.poll() is None, "".join(log)
        yield Radicale(f"http://127.0.0.1:{port}/", users)
    finally:
        process.terminate()
        process.wait(READY_S)
        follower.join(READY_S)
        assert process.stderr is not None
        process.stderr.close()
