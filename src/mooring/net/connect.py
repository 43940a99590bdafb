"""Names to addresses, and sockets that leave from a chosen address. ``egress`` is the only caller."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from mooring.errors import IcmpMessage, NameNotFound, NetworkError, Phase, SourceUnavailable
from mooring.net import icmp
from mooring.net.errors import phase
from mooring.net.stream import CHUNK, Endpoint, TcpStream

IPAddress = IPv4Address | IPv6Address
StreamT = TypeVar("StreamT", bound=TcpStream)

KEEPALIVE = ((socket.TCP_KEEPIDLE, 120), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4))
"""Seconds, seconds, probes: below the 240 s after which the shortest common NAT forgets an idle connection."""

USER_TIMEOUT_MS = 90_000
"""Milliseconds that sent bytes may stay unacknowledged. Without it a connection whose source address
vanished stays ESTABLISHED for minutes, silent (measured)."""

_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EPERM})

_REFUSALS = frozenset({(3, 3), (3, 9), (3, 10), (3, 13)})
_REFUSALS6 = frozenset({(1, 1), (1, 4), (1, 5), (1, 6)})
"""Type and code of ICMP messages that nothing but a firewall sends in answer to TCP (RFC 792, RFC 1812, RFC 4443)."""


class DialledSocket(socket.socket):
    """A socket that the dialer made. The tripwire lets only these connect."""

    __slots__ = ()


class ResolverSocket(socket.socket):
    """A socket to one of the host's own name servers. The tripwire lets it connect there, and nowhere else.

    Attributes:
        server: the name server's address and port.
    """

    def __init__(self, server: Endpoint, kind: socket.SocketKind) -> None:
        super().__init__(socket.AF_INET6 if ":" in server.host else socket.AF_INET, kind)
        self.server = (server.host, server.port)
        self.setblocking(False)


def look_up(host: str, port: int) -> list[IPAddress]:
    """The addresses of a name, in the order the host's own resolver gives them, each once; blocks until it does.

    Whatever spelling came in, what goes out are parsed addresses of real socket addresses: the caller
    judges those, never the string (``127.1`` and ``0x7f000001`` are 127.0.0.1 here).

    Raises:
        NameNotFound, ResolverTimeout.
    """
    with phase(Phase.RESOLVE, host):
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (UnicodeError, ValueError, OverflowError) as e:
            raise NameNotFound(f"{host[:100]!r} is not a host name") from e
    addresses = (ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found)
    return list(dict.fromkeys(addresses))


async def connect(remote: Endpoint, *, local: IPAddress | None, timeout_s: float) -> DialledSocket:
    """A connected socket to ``remote`` that leaves from ``local``.

    The port is left to the kernel at connect time (IP_BIND_ADDRESS_NO_PORT): bound the plain way, one
    source has 28,232 ports for the whole Internet instead of for each server (measured).

    Args:
        local: the address to bind; None only for the hop to an operator's own proxy.
        timeout_s: seconds for the handshake.

    Raises:
        SourceUnavailable: ``unplumbed``, ``no_sockets``, ``ports_exhausted``, ``no_route`` or ``own_firewall``: ours.
        ConnectTimeout, ConnectionRefused, HostUnreachable: theirs, with the ICMP message that answered, if one did.
    """
    sock = _new_socket(socket.AF_INET6 if ":" in remote.host else socket.AF_INET)
    left_from: list[Endpoint] = []
    try:
        _prepare(sock)
        if local is not None:
            _bind(sock, local)
        # The kernel chooses the port when the SYN leaves, and forgets it when the connection fails.
        asyncio.get_running_loop().call_soon(_note_local, sock, left_from)
        await _connect(sock, remote, local, timeout_s)
        if local is not None and ipaddress.ip_address(sock.getsockname()[0]) != local:
            raise SourceUnavailable(f"the connection did not leave from {local}", reason="unplumbed")
    except NetworkError as e:
        e.local = str(left_from[0]) if left_from else ""
        _explain(e, sock, remote)
        sock.close()
        raise
    except BaseException:
        sock.close()
        raise
    icmp.ignore_icmp(sock)
    return sock


async def open_stream(sock: DialledSocket, *, host: str, peer: Endpoint, stream_type: type[StreamT]) -> StreamT:
    """The Stream over a connected socket; ``host`` is what a certificate will be verified against."""
    name, rtt_ms, retransmits = sock.getsockname(), icmp.rtt_ms(sock), icmp.retransmits(sock)
    try:
        reader, writer = await asyncio.open_connection(sock=sock, limit=CHUNK)
    except BaseException:
        sock.close()
        raise
    local = Endpoint(str(ipaddress.ip_address(name[0])), int(name[1]))
    return stream_type(reader, writer, host=host, local=local, peer=peer, rtt_ms=rtt_ms, retransmits=retransmits)


def is_local(address: IPAddress) -> bool:
    """Whether this host has the address: a bind succeeds."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
    return True


def primary_addresses() -> list[IPAddress]:
    """The addresses this host would leave from by itself: IPv4 first, then public ones; loopback if nothing else is.

    IPv4 before a public IPv6 address, since there are mail servers without IPv6, and hardly any without IPv4.
    Found by asking the kernel's routing table; nothing is sent.
    """
    found: list[IPAddress] = []
    for family, probe in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with DialledSocket(family, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.connect((probe, 9))
            found.append(ipaddress.ip_address(sock.getsockname()[0]))
    with contextlib.suppress(OSError, UnicodeError):
        named = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
        found += [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in named]
    usable = [a for a in dict.fromkeys(found) if not (a.is_loopback or a.is_link_local) and is_local(a)]
    usable.sort(key=lambda a: (a.version, a.is_private))
    return usable or [ipaddress.IPv4Address("127.0.0.1")]


def _new_socket(family: socket.AddressFamily) -> DialledSocket:
    try:
        return DialledSocket(family, socket.SOCK_STREAM)
    except OSError as e:
        raise SourceUnavailable(
            f"this process can open no further socket ({e.strerror})",
            reason="no_sockets",
            hint="The operator raises the limit of open files (ulimit -n), or spreads the work over more processes.",
        ) from e


def _prepare(sock: DialledSocket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    icmp.listen_for_icmp(sock)


def _bind(sock: DialledSocket, local: IPAddress) -> None:
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
    try:
        sock.bind((str(local), 0))
    except OSError as e:
        reason = "unplumbed" if e.errno in _NOT_HERE else "cannot_bind"
        raise SourceUnavailable(
            f"{local} is not an address of this host ({e.strerror})",
            reason=reason,
            hint=f"Add {local} to a network interface of this host, or change the source's `via`.",
        ) from e


async def _connect(sock: DialledSocket, remote: Endpoint, local: IPAddress | None, timeout_s: float) -> None:
    loop = asyncio.get_running_loop()
    with phase(Phase.CONNECT, str(remote)):
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, (remote.host, remote.port))
        except OSError as e:
            if e.errno == errno.EADDRNOTAVAIL:
                raise SourceUnavailable(
                    f"{local or 'this host'} has no free port left for {remote}", reason="ports_exhausted"
                ) from e
            if e.errno in _NO_WAY and not _has_route(remote, local):
                raise SourceUnavailable(
                    f"this host has no route from {local or 'here'} to {remote.host}", reason="no_route"
                ) from e
            raise


def _note_local(sock: DialledSocket, noted: list[Endpoint]) -> None:
    with contextlib.suppress(OSError):
        host, port = sock.getsockname()[:2]
        noted += [Endpoint(str(ipaddress.ip_address(host)), port)] if port else []


def _explain(error: NetworkError, sock: DialledSocket, remote: Endpoint) -> None:
    """Tell along what answered the SYN, and how often it was sent again.

    Raises:
        SourceUnavailable: what answered is a rule of this host's own firewall.
    """
    error.retransmits = icmp.retransmits(sock)
    told = icmp.heard_icmp(sock)
    if told is None:
        return
    error.icmp = told
    error.detail = f"{error.detail} ({told})".lstrip()
    error.message = f"{error.message} ({told})"
    error.args = (error.message,)
    if told.sender != remote.host and _is_refusal(told) and is_local(ipaddress.ip_address(told.sender)):
        sock.close()
        raise SourceUnavailable(
            f"a firewall of this host itself stops connections to {remote} ({told})",
            reason="own_firewall",
            hint="The operator looks for the rule: nft list ruleset.",
        ) from error


def _is_refusal(told: IcmpMessage) -> bool:
    """Whether somebody decided it, rather than a next hop that does not answer, which our own host tells as well."""
    return (told.type, told.code) in (_REFUSALS6 if ":" in told.sender else _REFUSALS)


def _has_route(remote: Endpoint, local: IPAddress | None) -> bool:
    """Whether our own routing table knows a way: a UDP connect looks it up and sends nothing.

    A router's ICMP answer and our own table give the same errno to TCP; only the second is our fault.
    """
    family = socket.AF_INET6 if ":" in remote.host else socket.AF_INET
    with DialledSocket(family, socket.SOCK_DGRAM) as sock:
        try:
            if local is not None:
                sock.bind((str(local), 0))
            sock.connect((remote.host, remote.port))
        except OSError:
            return False
    return True
