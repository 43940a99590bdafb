"""An endpoint in a thread of its own: it answers the challenge, and keeps what it is told with the time it came."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.4.1"


@dataclass(frozen=True)
class Told:
    """One delivery; ``at`` is in seconds of the wall clock."""

    at: float
    raw: bytes
    signature: str
    source: str
    accepted: bool

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def type(self) -> str:
        return self.body["type"]

    @property
    def object(self) -> dict[str, Any]:
        return self.body["data"]["object"]

    def is_signed_by(self, secret: str) -> bool:
        return hmac.new(secret.encode(), self.raw, hashlib.sha256).hexdigest() == self.signature


@dataclass
class Endpoint:
    """What came, in order.

    Attributes:
        status: what a delivery is answered with, each time it is asked.
        challenges: how often the challenge was asked for.
    """

    url: str
    status: Callable[[], int] = field(default=lambda: 200)
    told: list[Told] = field(default_factory=list[Told])
    challenges: int = 0

    def of_type(self, kind: str) -> list[Told]:
        """The accepted deliveries of this event."""
        return [told for told in list(self.told) if told.accepted and told.type == kind]


@contextmanager
def endpoint(*, host: str = HOST, port: int = 0) -> Generator[Endpoint]:
    """An endpoint on a free port, or on this one, for as long as the block lasts."""
    found = Endpoint("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            word = parse_qs(urlsplit(self.path).query).get("challenge", [""])[0]
            found.challenges += 1
            self._answer(200, word.encode())

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.status()
            found.told.append(
                Told(
                    time.time(), raw, self.headers.get("X-Nylas-Signature", ""), self.client_address[0],
                    200 <= status < 300,
                )
            )  # fmt: skip
            self._answer(status, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server((host, port), Handler) as server:
        found.url = f"http://{host}:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
