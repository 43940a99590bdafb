"""A whole Mooring as its operator runs it: ``mooring up`` in a folder of its own, driven from outside."""

import asyncio
import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from nylas import Client

from mooring.store import Database, EmbeddedPostgres
from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.processes import descendants, send
from tests.waiting import until

START_S = 60.0
"""Seconds in which a first start (initdb included) must be ready."""

SERVERS = {
    "imap_host": "imap.lab.test",
    "imap_port": 993,
    "smtp_host": "smtp.lab.test",
    "smtp_port": 587,
}


def configuration(
    port: int,
    *,
    static: Sequence[str] = at.STATIC,
    dynamic: Sequence[str] = at.DYNAMIC,
    v2_static: Sequence[str] = (),
    v2_dynamic: Sequence[str] = (),
    webhook: Sequence[str] = (),
    server: str = "",
    policy: str = "",
    extra: str = "",
) -> str:
    """A ``mooring.toml`` with the laboratory's addresses as its pools; a pool without addresses is not declared.

    Args:
        server, policy: more lines of these sections.
    """
    parts = [
        # The tests look at states as often as they like.
        f'[server]\nlisten = "127.0.0.1:{port}"\nrate_limits = false\n{server}',
        f'[policy]\nallow_private_targets = ["10.0.0.0/8", "fd99::/16", "127.0.4.0/24"]\n{policy}',
        extra,
    ]
    pools = (
        ("v3", "static", static),
        ("v3", "dynamic", dynamic),
        ("v2", "static", v2_static),
        ("v2", "dynamic", v2_dynamic),
        ("webhook", "static", webhook),
    )
    for generation, kind, addresses in pools:
        names = [f"{generation}-us-{kind}-{number}" for number, _ in enumerate(addresses, start=1)]
        parts += [
            f'[[egress.source]]\nname = "{name}"\naddress = "{address}"\n'
            for name, address in zip(names, addresses, strict=True)
        ]
        if names:
            parts.append(
                f'[[egress.pool]]\ngeneration = "{generation}"\nregion = "us"\nkind = "{kind}"\n'
                f"sources = {json.dumps(names)}\n"
            )
    return "\n".join(parts)


@dataclass
class Running:
    """One ``mooring up``.

    Attributes:
        trust: the certificates that it believes in (``SSL_CERT_FILE``).
        tls: whether its API speaks TLS, with a certificate that ``trust`` knows.
        more: what its processes find in their environment besides.
        api_key, application_id: of the first application; "" until the first start has printed them.
    """

    folder: Path
    port: int
    trust: Path
    tls: bool = False
    more: dict[str, str] = field(default_factory=dict[str, str])
    api_key: str = ""
    application_id: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @cached_property
    def verify(self) -> ssl.SSLContext | bool:
        """What httpx is to believe when it asks the API."""
        return ssl.create_default_context(cafile=self.trust) if self.tls else True

    @property
    def sdk(self) -> Client:
        """The official SDK, as the first application uses it."""
        return Client(api_key=self.api_key, api_uri=self.url)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON that a plain GET with the application's key answers."""
        answer = httpx.get(
            f"{self.url}{path}",
            params=parameters,
            headers={"Authorization": f"Bearer {self.api_key}"},
            timeout=60,
            verify=self.verify,
        )
        return answer.json()

    @property
    def log(self) -> str:
        """Everything that it has said on standard error."""
        return (self.folder / "mooring.log").read_text()

    @property
    def defects(self) -> list[str]:
        """Lines of its log that nothing from outside excuses."""
        return [line for line in self.log.splitlines() if re.search(r"Traceback|api\.unexpected|\.defect", line)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SSL_CERT_FILE": str(self.trust), **self.more}

    def start(self) -> None:
        """Start it, and return once it is ready. Its words go to ``mooring.log`` in its folder."""
        log = (self.folder / "mooring.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mooring", "up", "--json"],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        log.close()
        if not self.api_key:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, (self.folder / "mooring.log").read_text()
            first = json.loads(line)
            self.api_key, self.application_id = first["api_key"], first["application_id"]
        until(self.is_ready, timeout_s=START_S, what="/readyz answers 200")

    def is_ready(self) -> bool:
        """Whether it answers that it is ready; an AssertionError when it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "mooring.log").read_text()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=self.verify).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def kill(self) -> None:
        """Kill everything of it but the database, as kill -9 does: the supervisor, the API and the worker."""
        send(signal.SIGKILL, [pid for name, pid in self.pids().items() if name != "postgres"])
        self._ended()

    def kill_one(self, name: str) -> int:
        """Kill one process, as kill -9 does, by its name in ``pids``; returns its number."""
        pid = self.pids()[name]
        send(signal.SIGKILL, [pid])
        if name == "up":
            self._ended()
        return pid

    def pids(self) -> dict[str, int]:
        """The processes that live now: ``up``, ``api``, ``worker``, ``deliverer``, ``postgres`` (the first of them).

        The deliverer is the worker that serves the webhook pools.
        """
        found: dict[str, int] = {}
        if self.process is not None:
            assert self.process.poll() is None, f"it has ended: {self._last_words()}"
            found["up"] = self.process.pid
            for pid in descendants(self.process.pid):
                words = command_line(pid)
                if words[1:3] == ["-m", "mooring"] and words[3] in {"api", "worker"}:
                    delivers = any(word.startswith("webhook-") for word in words)
                    found["deliverer" if delivers else words[3]] = pid
        postgres = postmaster(self.folder / "data")
        return {**found, "postgres": postgres} if postgres is not None else found

    def _last_words(self) -> str:
        """What it said when it ended by itself: errors go to standard output, and everything else to its log."""
        assert self.process is not None
        assert self.process.stdout is not None
        return f"{self.process.stdout.read()} {self.log[-2000:]}"

    def _ended(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return status

    def command(self, *arguments: str, said: str | None = None) -> Any:
        """What ``mooring … --json`` prints; ``said`` is typed."""
        done = run_mooring(*arguments, "--json", folder=self.folder, environment=self.environment(), said=said)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """What its database answers: for what no door shows, such as the outbox."""

        async def ask() -> list[dict[str, Any]]:
            async with EmbeddedPostgres(self.folder / "data").connect_or_start() as url:
                db = await Database.open(url, max_size=1)
                try:
                    return [dict(row) for row in await db.fetch(query, *arguments)]
                finally:
                    await db.close()

        return asyncio.run(ask())

    def listed(self, grant_id: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every message of a listing, page by page."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(f"/v3/grants/{grant_id}/messages", limit=200, **parameters, **cursor)
            assert "data" in page, page
            found += page["data"]
            if not page.get("next_cursor"):
                return found
            cursor = {"page_token": page["next_cursor"]}

    def raw(self, grant_id: str, message_id: str) -> bytes:
        """The message's bytes."""
        data = self.get(f"/v3/grants/{grant_id}/messages/{message_id}", fields="raw_mime")["data"]
        return base64.urlsafe_b64decode(data["raw_mime"] + "=" * (-len(data["raw_mime"]) % 4))

    def folders(self, grant_id: str) -> dict[str, dict[str, Any]]:
        """The folders by name."""
        return {f["name"]: f for f in self.get(f"/v3/grants/{grant_id}/folders", limit=200)["data"]}

    def connect(self, user: User, **settings: Any) -> str:
        """Connect a mailbox by the SDK; returns the grant's id."""
        return self.sdk.auth.custom_authentication(
            {"provider": "imap", "settings": {**credentials(user), **SERVERS, **settings}}
        ).data.id

    def connect_to_read(self, user: User, **settings: Any) -> str:
        """As ``connect``, with the IMAP server alone."""
        return self.connect(user, smtp_host="", **settings)

    def static_ips(self, state: str) -> None:
        """Switch the application's static addresses."""
        self.command("app", "set-static-ips", self.application_id, state)

    def synced(self, grant_id: str) -> None:
        """Return once the grant's mailbox has been brought in step as a whole."""

        def done() -> bool:
            return self.get(f"/v3/grants/{grant_id}")["data"]["sync"]["state"] == "ok"

        until(done, timeout_s=60, what=f"the grant {grant_id} is in step")


def run_mooring(
    *arguments: str, folder: Path, environment: dict[str, str], timeout_s: float = 60, said: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mooring", *arguments],
        cwd=folder,
        env=environment,
        input=said,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def command_line(pid: int) -> list[str]:
    """The words that a process was started with; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Whether this process still runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def postmaster(data: Path) -> int | None:
    """The first process of the embedded database, if it lives."""
    try:
        pid = int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, IndexError, ValueError):
        return None
    return pid if is_alive(pid) else None


def credentials(user: User) -> dict[str, str]:
    """The user's part of ``settings``."""
    return {
        "imap_username": user.address,
        "imap_password": user.password,
        "smtp_username": user.address,
        "smtp_password": user.password,
    }


QUICK_LEASE = '[workers]\nlease = "1s"\n'
"""For ``configuration``: whoever dies is taken over from within two seconds."""


@contextmanager
def started(folder: Path, port: int, trust: Path, *, static_ips: bool = True, **pools: Any) -> Generator[Running]:
    """A Mooring with these pools and quick leases, for as long as the block lasts; it ends clean, without a defect."""
    (folder / "mooring.toml").write_text(configuration(port, extra=QUICK_LEASE, **pools))
    running = Running(folder, port, trust)
    running.start()
    if static_ips:
        running.static_ips("on")
    yield running
    assert running.stop() == 0
    assert running.defects == []
