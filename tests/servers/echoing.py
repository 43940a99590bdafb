"""An IMAP server that refuses every login and repeats what it was sent, as some do in their error texts."""

import base64
import re
import socket
import ssl
import threading
from enum import StrEnum
from typing import Self

from tests.lab.certificates import Certificate


class Echo(StrEnum):
    """What it repeats."""

    #: the whole line of AUTHENTICATE PLAIN, Base64 and all
    SASL_LINE = "AUTH=PLAIN SASL-IR"
    #: what the Base64 means
    DECODED = "AUTH=PLAIN"
    #: the whole line of LOGIN, quotes and backslashes and all
    LOGIN_LINE = "ID"


class EchoingServer:
    """Listens on one address for as long as the block lasts."""

    def __init__(self, address: str, certificate: Certificate, echo: Echo) -> None:
        self._echo = echo
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.chain, certificate.key)
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, self._context.wrap_socket(client, server_side=True) as stream:
                self._converse(stream)

    def _converse(self, stream: ssl.SSLSocket) -> None:
        stream.sendall(f"* OK [CAPABILITY IMAP4rev1 {self._echo}] ready\r\n".encode())
        with stream.makefile("rb") as lines:
            for first in lines:
                line = first
                while announced := re.search(rb"\{(\d+)\}\r\n\Z", line):
                    stream.sendall(b"+ go on\r\n")
                    line = line[: announced.start()] + lines.read(int(announced[1])) + lines.readline()
                tag, _, rest = line.rstrip().partition(b" ")
                match rest.split(b" ")[0].upper():
                    case b"CAPABILITY":
                        stream.sendall(b"* CAPABILITY IMAP4rev1 %b\r\n%b OK\r\n" % (self._echo.encode(), tag))
                    case b"AUTHENTICATE" if self._echo is Echo.DECODED:
                        stream.sendall(b"+ \r\n")
                        said = base64.b64decode(lines.readline()).replace(b"\0", b" ")
                        stream.sendall(b"%b NO [AUTHENTICATIONFAILED] nobody is %b\r\n" % (tag, said))
                    case _:
                        stream.sendall(b"%b NO [AUTHENTICATIONFAILED] not: %b\r\n" % (tag, rest))
