"""Mail hosts that never come to an end: too much, too slowly, or always somewhere else."""

import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

GIGABYTE = 1 << 30
PIECE = 1 << 16


@dataclass
class Flood:
    """What came of it.

    Attributes:
        sent: bytes that its system took.
        over: set when the test is.
    """

    port: int = 0
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)


Behaviour = Callable[[Flood, socket.socket], None]
"""What is done with a connection; it ends with an OSError when it is hung up on."""


def one_line(beginning: bytes) -> Behaviour:
    """A gigabyte that begins like this, and has no end of a line in it."""

    def behave(flood: Flood, connection: socket.socket) -> None:
        flood.send(connection, beginning)
        while flood.sent < GIGABYTE:
            flood.send(connection, b"x" * PIECE)

    return behave


def many_lines(line: bytes) -> Behaviour:
    """A gigabyte of the same line."""

    def behave(flood: Flood, connection: socket.socket) -> None:
        while flood.sent < GIGABYTE:
            flood.send(connection, line * (PIECE // len(line)))

    return behave


def byte_by_byte(words: bytes) -> Behaviour:
    """These words, at a byte a second."""

    def behave(flood: Flood, connection: socket.socket) -> None:
        for byte in words:
            flood.send(connection, bytes([byte]))
            if flood.over.wait(1.0):
                return

    return behave


def http_without_end(flood: Flood, connection: socket.socket) -> None:
    """An answer to the first request, with a gigabyte in it."""
    connection.recv(PIECE)
    flood.send(connection, b"HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\n\r\n<?xml version='1.0'?><")
    while flood.sent < GIGABYTE:
        flood.send(connection, b"x" * PIECE)


def packed_without_end(flood: Flood, connection: socket.socket) -> None:
    """An answer to the first request, with a gigabyte in it that takes a thousandth of that on the wire."""
    connection.recv(PIECE)
    packing = zlib.compressobj(9, wbits=31)
    flood.send(connection, b"HTTP/1.1 200 Fine\r\nContent-Encoding: gzip\r\n\r\n")
    for _ in range(GIGABYTE // PIECE):
        flood.send(connection, packing.compress(b"x" * PIECE) + packing.flush(zlib.Z_SYNC_FLUSH))


def one_page(status: int, page: bytes) -> Behaviour:
    """The same page for every request."""

    def behave(flood: Flood, connection: socket.socket) -> None:
        head = f"HTTP/1.1 {status} Odd\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        while request := connection.recv(PIECE):
            if b"\r\n\r\n" in request:
                flood.send(connection, head.encode() + page)

    return behave


def redirects_to(location: str) -> Behaviour:
    """Every request is sent elsewhere; ``{port}`` is the host's own."""

    def behave(flood: Flood, connection: socket.socket) -> None:
        head = f"HTTP/1.1 301 Moved\r\nLocation: {location.format(port=flood.port)}\r\nContent-Length: 0\r\n\r\n"
        while True:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(PIECE)
                if not piece:
                    return
                request += piece
            flood.send(connection, head.encode())

    return behave


@contextmanager
def flooding(behave: Behaviour, address: str, *, tls: ssl.SSLContext | None = None) -> Generator[Flood]:
    """Such a host, for as long as the block lasts."""
    flood = Flood()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            try:
                connection = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                with connection:
                    behave(flood, connection)
            except OSError:
                return

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server((address, 0), Handler) as server:
        flood.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield flood
        finally:
            flood.over.set()
            server.shutdown()
            thread.join()
