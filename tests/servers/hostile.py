"""Endpoints that pass the challenge as all do, and then misbehave at every delivery, over plain HTTP or TLS."""

import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.4.2"
PIECE = bytes(64 * 1024)
HUGE = 3_000_000_000
"""Bytes."""

Behaviour = Callable[["Hostile", socket.socket], None]
"""What is done with a connection over which a delivery has come; it ends with an OSError when it is hung up on."""


@dataclass
class Hostile:
    """What came of misbehaving.

    Attributes:
        asked: deliveries that came.
        sent: bytes of an answer that its system took; hung_up: connections that were closed on it before it ended.
    """

    url: str
    asked: int = 0
    sent: int = 0
    hung_up: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)


def redirects_to(url: str) -> Behaviour:
    """It sends everybody elsewhere."""

    def redirect(hostile: Hostile, connection: socket.socket) -> None:
        hostile.send(connection, f"HTTP/1.1 307 Elsewhere\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())

    return redirect


def answers_without_end(hostile: Hostile, connection: socket.socket) -> None:
    """It takes the delivery, with 3 GB."""
    hostile.send(connection, f"HTTP/1.1 200 Fine\r\nContent-Length: {HUGE}\r\n\r\n".encode())
    while hostile.sent < HUGE:
        hostile.send(connection, PIECE)


def greets_without_end(hostile: Hostile, connection: socket.socket) -> None:
    """Its answer has 3 GB of headers."""
    hostile.send(connection, b"HTTP/1.1 200 Fine\r\nX-Padding: ")
    while hostile.sent < HUGE:
        hostile.send(connection, b"x" * len(PIECE))


def is_silent(hostile: Hostile, connection: socket.socket) -> None:
    """It never answers, and waits to see who hangs up."""
    if not connection.recv(1):
        raise ConnectionResetError("hung up")


def drips(hostile: Hostile, connection: socket.socket) -> None:
    """It answers at a byte a second."""
    for byte in b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n":
        hostile.send(connection, bytes([byte]))
        if hostile.over.wait(1.0):
            return


def breaks_off(hostile: Hostile, connection: socket.socket) -> None:
    """It hangs up in the middle of a word."""
    hostile.send(connection, b"HTTP/1.1 2")


@contextmanager
def hostile(
    behave: Behaviour, *, name: str = HOST, host: str = HOST, tls: ssl.SSLContext | None = None
) -> Generator[Hostile]:
    """Such an endpoint, called by this name, for as long as the block lasts."""
    found = Hostile("")

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            try:
                connection = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                with connection, connection.makefile("rb") as words:
                    self._answer(connection, words)
            except OSError:
                return

        def _answer(self, connection: socket.socket, words: Any) -> None:
            target = words.readline().decode().split()[1]
            headers = dict(line.lower().split(b": ", 1) for line in iter(words.readline, b"\r\n"))
            if word := parse_qs(urlsplit(target).query).get("challenge", [""])[0]:
                connection.sendall(f"HTTP/1.1 200 Fine\r\nContent-Length: {len(word)}\r\n\r\n{word}".encode())
                return
            words.read(int(headers[b"content-length"]))
            found.asked += 1
            try:
                behave(found, connection)
            except OSError:
                found.hung_up += 1

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server((host, 0), Handler) as server:
        scheme = "http" if tls is None else "https"
        found.url = f"{scheme}://{name}:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            found.over.set()
            server.shutdown()
            thread.join()
