"""An endpoint that is a process of its own, and may be killed: what it has accepted is in a file before it says so.

python -m tests.chaos.accepting HOST PORT FILE
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Accepted:
    """One delivery that was answered with 200, or would have been; ``id`` is the same each time a fact is told."""

    id: str
    grant_id: str
    type: str
    attempt: int


class Receiver:
    """The process, as the test sees it."""

    def __init__(self, host: str, port: int, file: Path) -> None:
        self._words = (host, str(port), str(file))
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://{host}:{port}/hook"

    def start(self) -> None:
        """Start it, and return once it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.accepting", *self._words], cwd=ROOT, stdin=subprocess.DEVNULL
        )
        until(self._answers, timeout_s=30, what="the receiver answers")

    def kill(self) -> None:
        """End it as kill -9 does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def accepted(self) -> list[Accepted]:
        """Every delivery that it has accepted, in that order, over all of its lives."""
        whole, _, _torn = self._file.read_bytes().rpartition(b"\n")
        return [Accepted(**json.loads(line)) for line in whole.splitlines()]

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url, params={"challenge": "word"}, timeout=5).text == "word"
        except httpx.HTTPError:
            return False


class _Journal:
    """A line for each delivery, on the disk before ``write`` returns."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._file = file.open("ab")
        # What a kill cut short was answered to nobody.
        self._file.truncate(file.read_bytes().rfind(b"\n") + 1)

    def write(self, told: dict[str, Any]) -> None:
        line = {
            "id": told["id"], "grant_id": told["data"]["grant_id"], "type": told["type"],
            "attempt": told["webhook_delivery_attempt"],
        }  # fmt: skip
        with self._lock:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A deliverer that was killed waits for no answer.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _serve(host: str, port: int, file: Path) -> None:
    journal = _Journal(file)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query).get("challenge", [""])[0].encode())

        def do_POST(self) -> None:
            journal.write(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            """Say nothing."""

    with _Server((host, port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
