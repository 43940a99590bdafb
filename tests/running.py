"""A whole Mooring as its operator runs it: ``mooring up`` in a folder of its own, driven from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from nylas import Client

from tests.lab import addresses as at
from tests.lab.dovecot import User
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
    port: int, *, static: Sequence[str] = at.STATIC, dynamic: Sequence[str] = at.DYNAMIC, extra: str = ""
) -> str:
    """A ``mooring.toml`` with the laboratory's addresses as its pools."""
    parts = [
        f'[server]\nlisten = "127.0.0.1:{port}"\n',
        '[policy]\nallow_private_targets = ["10.0.0.0/8", "fd99::/16"]\n',
        extra,
    ]
    for generation, kind, addresses in (("v3", "static", static), ("v3", "dynamic", dynamic)):
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
        api_key, application_id: of the first application; "" until the first start has printed them.
    """

    folder: Path
    port: int
    trust: Path
    api_key: str = ""
    application_id: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sdk(self) -> Client:
        """The official SDK, as the first application uses it."""
        return Client(api_key=self.api_key, api_uri=self.url)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON that a plain GET with the application's key answers."""
        answer = httpx.get(
            f"{self.url}{path}", params=parameters, headers={"Authorization": f"Bearer {self.api_key}"}, timeout=60
        )
        return answer.json()

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SSL_CERT_FILE": str(self.trust)}

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
        until(self._is_ready, timeout_s=START_S, what="/readyz answers 200")

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "mooring.log").read_text()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def kill(self) -> None:
        """kill -9 of everything of it but the database: the supervisor, the API and the worker."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self._ended()

    def _ended(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return status

    def command(self, *arguments: str) -> Any:
        """What ``mooring … --json`` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "mooring", *arguments, "--json"],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def connect(self, user: User, **settings: Any) -> str:
        """Connect a mailbox by the SDK; returns the grant's id."""
        return self.sdk.auth.custom_authentication(
            {"provider": "imap", "settings": {**credentials(user), **SERVERS, **settings}}
        ).data.id

    def static_ips(self, state: str) -> None:
        """Switch the application's static addresses."""
        self.command("app", "set-static-ips", self.application_id, state)

    def synced(self, grant_id: str) -> None:
        """Return once the grant's mailbox has been brought in step as a whole."""

        def done() -> bool:
            return self.get(f"/v3/grants/{grant_id}")["data"]["sync"]["state"] == "ok"

        until(done, timeout_s=60, what=f"the grant {grant_id} is in step")


def credentials(user: User) -> dict[str, str]:
    """The user's part of ``settings``."""
    return {
        "imap_username": user.address,
        "imap_password": user.password,
        "smtp_username": user.address,
        "smtp_password": user.password,
    }
