"""A web host of many names over TLS, which answers by a list and says who asked for what.

    python webhost.py ADDRESS PORT CERTIFICATE KEY ANSWERS.json

The list maps ``METHOD host/path`` to {status, headers, body}, or to {behaves: endless | drips}.
"""

import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PIECE = b"<a>" * 4096


def say(line: str) -> None:
    """A line of its own, whoever else speaks."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: dict[str, Any]

    def answer(self) -> None:
        host = self.headers.get("Host", "")
        names = sorted(name.lower() for name in self.headers)
        said = {"ip": self.client_address[0], "method": self.command, "host": host, "path": self.path, "headers": names}
        say(f"asked {json.dumps(said)}")
        found = self.answers.get(f"{self.command} {host}{self.path.partition('?')[0]}", {"status": 404})
        match found.get("behaves"):
            case "endless":
                self._endless()
            case "drips":
                self._drips()
            case _:
                self._whole(found)

    do_GET = do_PROPFIND = answer  # noqa: N815 - the names that are looked for

    def _whole(self, found: dict[str, Any]) -> None:
        body = found.get("body", "").encode()
        self.send_response(found["status"])
        for name, value in found.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(2**30))
        self.end_headers()
        sent = 0
        try:
            while sent < 2**30:
                sent += self.wfile.write(PIECE)
        except OSError:
            say(f"hung up after {sent} bytes")
        self.close_connection = True

    def _drips(self) -> None:
        try:
            for byte in b"HTTP/1.1 200 Fine\r\nX-Long: " + b"x" * 600:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            say("hung up on drops")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


class Host(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        say(f"failed: {sys.exc_info()[1]!r}")


def main(address: str, port: str, certificate: str, key: str, answers: str) -> None:
    Handler.answers = json.loads(Path(answers).read_text())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = Host((address, int(port)), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    say("web host ready")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
