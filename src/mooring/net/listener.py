"""Listening sockets that only some sources reach: a mail administrator's firewall, in one process and without root.

Since Linux 4.6 a group of sockets may listen on one port (SO_REUSEPORT), and a classic BPF program picks the one that
a SYN goes to. Here the group has two: one that is served, and one whose queue is full for good, where the
kernel drops every SYN. A filter on the listening socket itself (SO_ATTACH_FILTER) would do too, but newer kernels
let only CAP_NET_ADMIN attach one to a TCP socket (6.18 does so).
"""

import ctypes
import socket
import ssl
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from mooring.errors import ConfigError
from mooring.net.connect import DialledSocket
from mooring.net.stream import Endpoint

BACKLOG = 128
"""Connections that may wait to be accepted."""
FILL_S = 5.0
"""Seconds for a connection on this host; it takes microseconds."""

_SO_ATTACH_REUSEPORT_CBPF = 51
"""asm-generic/socket.h; Python names no such constant."""

_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K (linux/bpf_common.h)."""
_IPV4_SOURCE = 0xFFF00000 + 12
"""SKF_NET_OFF, from where offsets count in the network header, and the source address in it (RFC 791 §3.1)."""
_SERVED, _FULL = 0, 1
"""The sockets of the group, in the order in which they began to listen."""


class AdmittingListener(socket.socket):
    """A listening TCP socket that answers the SYNs of some sources; all others are dropped without a word.

    To a source that is not admitted it looks like a host behind a firewall that drops: the connect times out.

    Attributes:
        accepted: the far end of every connection that was ever accepted, in order.
    """

    def __init__(self, address: IPv4Address, *, admitted: Sequence[IPv4Address]) -> None:
        """Bind a free port of ``address`` and listen.

        Raises:
            ConfigError: the address is not this host's, or its kernel cannot tell sources apart.
        """
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.accepted: list[Endpoint] = []
        self._full = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._filler = DialledSocket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            _listen(self, (str(address), 0), BACKLOG)
            _listen(self._full, self.getsockname(), 0)
            self._choose(_program(admitted))
            self._fill(address, admitted)
            self.setblocking(False)
        except OSError as e:
            self.close()
            raise ConfigError(
                f"this host cannot listen on {address} for some sources only: {e.strerror or e}",
                hint="This needs Linux, where all of 127.0.0.0/8 is local and a BPF program chooses among listeners.",
            ) from e

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        host, port = self.getsockname()
        return Endpoint(host, port)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection, remembered before anything is read of it."""
        connection, peer = super().accept()
        self.accepted.append(Endpoint(peer[0], peer[1]))
        return connection, peer

    def close(self) -> None:
        """Stop listening."""
        self._full.close()
        self._filler.close()
        super().close()

    def _choose(self, program: bytes) -> None:
        # struct sock_fprog: how many instructions, and where they are; the kernel copies them.
        instructions = ctypes.create_string_buffer(program, len(program))
        fprog = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
        self.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, fprog)

    def _fill(self, address: IPv4Address, admitted: Sequence[IPv4Address]) -> None:
        """Put the one connection into the queue that a backlog of 0 has room for; nobody ever accepts it."""
        nearby = (address + number for number in range(len(admitted) + 1))
        stranger = next(candidate for candidate in nearby if candidate not in admitted)
        self._filler.bind((str(stranger), 0))
        self._filler.settimeout(FILL_S)
        self._filler.connect(self.getsockname())


def server_context(chain: Path, key: Path) -> ssl.SSLContext:
    """TLS as a server with this certificate; PEM files, which are read now and not needed again."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context


def free_port(address: IPv4Address) -> int:
    """A TCP port of ``address`` that nobody listened on just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((str(address), 0))
        return int(sock.getsockname()[1])


def _listen(sock: socket.socket, where: tuple[str, int], backlog: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(where)
    sock.listen(backlog)


def _program(admitted: Sequence[IPv4Address]) -> bytes:
    """A classic BPF program: load the source, compare it with each address, name the socket.

    Every comparison jumps, if equal, over those that are left and over the answer for strangers.
    """
    count = len(admitted)
    compare = [(_JUMP_IF_EQUAL, count - index, 0, int(address)) for index, address in enumerate(admitted)]
    program = [(_LOAD_WORD, 0, 0, _IPV4_SOURCE), *compare, (_RETURN, 0, 0, _FULL), (_RETURN, 0, 0, _SERVED)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)
