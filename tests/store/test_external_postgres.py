"""Somebody's own PostgreSQL by URL, over TCP: Debian's 15, the oldest that is supported."""

import json
import os
import pwd
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until

BIN = Path("/usr/lib/postgresql/15/bin")

CONFIG = """
[database]
url = "{url}"
[objects]
url = "file:./objects"
[[egress.source]]
name = "s"
address = "127.0.0.9"
[[egress.pool]]
generation = "v3"
kind = "static"
sources = ["s"]
"""


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running PostgreSQL 15 that asks for a password."""
    assert BIN.exists(), "PostgreSQL 15 is missing: apt-get install postgresql-15"
    folder = tmp_path_factory.mktemp("postgres15")
    password = secrets.token_urlsafe()
    (folder / "password").write_text(password)
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        for path in (folder, folder / "password"):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        # The folders above are this session's own, and closed to others.
        for parent in list(folder.parents)[:2]:
            parent.chmod(0o711)
    data = folder / "data"
    subprocess.run(
        [BIN / "initdb", "-D", data, "-U", "mooring", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}"],
        user=user, check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [BIN / "postgres", "-D", data, "-c", "listen_addresses=127.0.0.1", "-p", str(port), "-k", str(folder)],
        user=user, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    url = f"postgresql://mooring:{password}@127.0.0.1:{port}/postgres"
    ready = [BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    until(lambda: subprocess.run(ready).returncode == 0, what="PostgreSQL answers")
    yield url
    server.terminate()
    server.wait()


def mooring(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command, in a process of its own: opening an installation arms the tripwire for good."""
    return subprocess.run(
        [sys.executable, "-m", "mooring", *arguments, "--json"], cwd=folder, capture_output=True, text=True
    )


def test_an_installation_works_on_it(external: str, tmp_path: Path) -> None:
    (tmp_path / "mooring.toml").write_text(CONFIG.format(url=external))
    made = json.loads(mooring(tmp_path, "app", "create", "--name", "x").stdout)
    identity = made["application_id"]
    assert json.loads(mooring(tmp_path, "app", "set-static-ips", identity, "on").stdout)["static_ips"] == "on"
    assert [a["application_id"] for a in json.loads(mooring(tmp_path, "app", "list").stdout)] == [identity]
    assert [item["ip_addresses"] for item in json.loads(mooring(tmp_path, "ips").stdout)] == [["127.0.0.9"]]
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_wrong_password_is_the_operators_and_is_not_shown(external: str, tmp_path: Path) -> None:
    (tmp_path / "mooring.toml").write_text(CONFIG.format(url=external.replace("mooring:", "mooring:wrong-")))
    refused = mooring(tmp_path, "app", "list")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["type"] == "ConfigError"
    assert "wrong-" not in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
