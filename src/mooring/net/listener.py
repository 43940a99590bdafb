"""Listening sockets that only some sources reach: a mail administrator's firewall, in one process and without root."""

import ctypes
import socket
import ssl
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from mooring.errors import ConfigError
from mooring.net.stream import Endpoint

BACKLOG = 128
"""Connections that may wait to be accepted."""

_SO_ATTACH_FILTER = 26
"""asm-generic/socket.h; Python names no such constant."""

_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K (linux/bpf_common.h)."""
_IPV4_SOURCE = 0xFFF00000 + 12
"""SKF_NET_OFF, from where offsets count in the network header, and the source address in it (RFC 791 §3.1)."""
_ALL, _NOTHING = 0xFFFFFFFF, 0
"""How much of a packet is let in, in bytes."""


class AdmittingListener(socket.socket):
    """A listening TCP socket that answers the SYNs of some sources, and drops all others without a word.

    To a source that is not admitted it looks like a host behind a firewall that drops: the connect times out.

    Attributes:
        accepted: the far end of every connection that was ever accepted, in order.
    """

    def __init__(self, address: IPv4Address, *, admitted: Sequence[IPv4Address]) -> None:
        """Bind a free port of ``address`` and listen.

        Raises:
            ConfigError: the address is not this host's, or its kernel has no socket filters.
        """
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.accepted: list[Endpoint] = []
        try:
            self.setblocking(False)
            self.bind((str(address), 0))
            self._attach(_program(admitted))
            self.listen(BACKLOG)
        except OSError as e:
            self.close()
            raise ConfigError(
                f"this host cannot listen on {address} with a socket filter: {e.strerror}",
                hint="This needs Linux, where all of 127.0.0.0/8 is local and sockets take BPF filters.",
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

    def _attach(self, program: bytes) -> None:
        # struct sock_fprog: how many instructions, and where they are; the kernel copies them.
        instructions = ctypes.create_string_buffer(program, len(program))
        fprog = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
        self.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


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


def _program(admitted: Sequence[IPv4Address]) -> bytes:
    """A classic BPF program: load the source, compare it with each address, let in or drop.

    Every comparison jumps, if equal, over those that are left and over the drop.
    """
    count = len(admitted)
    compare = [(_JUMP_IF_EQUAL, count - index, 0, int(address)) for index, address in enumerate(admitted)]
    program = [(_LOAD_WORD, 0, 0, _IPV4_SOURCE), *compare, (_RETURN, 0, 0, _NOTHING), (_RETURN, 0, 0, _ALL)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)
