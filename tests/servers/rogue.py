"""A program that knows nothing of Mooring's dialer, and opens a connection by itself."""

import socket
import sys

from tests.lab.namespaces import run

NOBODY = 65534
IMAPS = 993

#: A process that was never told of the dialer. It changes its user after Python has found its modules.
ROGUE = """
import os, socket, sys
uid, kind, source, host, port, timeout = sys.argv[1:]
os.setuid(int(uid))
with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, int(kind)) as sock:
    sock.settimeout(float(timeout))
    try:
        if source:
            sock.bind((source, 0))
        sock.connect((host, int(port)))
        sock.send(b"hello")
        print("connected")
    except OSError as e:
        print(type(e).__name__)
"""


def rogue(
    source: str,
    host: str,
    port: int = IMAPS,
    *,
    uid: int = NOBODY,
    kind: socket.SocketKind = socket.SOCK_STREAM,
    timeout_s: float = 0.5,
) -> str:
    """What becomes of a connection that another program of this user opens: ``connected``, or the error's name."""
    return run(sys.executable, "-c", ROGUE, *map(str, (uid, int(kind), source, host, port, timeout_s))).strip()
