"""Visits to a mail server, step by step, each to the end that it names, polite or not."""

import socket
import ssl
from contextlib import suppress

#: Seconds: a refused login is answered late.
_PATIENCE_S = 30.0


def visit(source: str, address: str, name: str, steps: str, trust: ssl.SSLContext) -> None:
    """Connect from an address of ours, take these steps, and hang up; after LOGOUT or QUIT the server may be first.

    Args:
        name: the server's, for its certificate.
        steps: separated by " | ". The first one is the port. ``hear`` waits for words, ``tls`` begins TLS,
            ``untrusting`` does and breaks the handshake off, as whoever does not believe the certificate; all else is
            said, and its answer heard.
    """
    port, *rest = steps.split(" | ")
    line = socket.create_connection((address, int(port)), _PATIENCE_S, (source, 0))
    try:
        for step in rest:
            match step:
                case "hear":
                    line.recv(4096)
                case "tls":
                    line = trust.wrap_socket(line, server_hostname=name)
                case "untrusting":
                    with suppress(ssl.SSLError):
                        line = ssl.create_default_context().wrap_socket(line, server_hostname=name)
                    return
                case _:
                    line.sendall(f"{step}\r\n".encode())
                    line.recv(4096)
    finally:
        line.close()
