"""What the kernel knows of a connection beyond its errno: the ICMP message that answered, SYNs sent again, the delay.

Linux keeps ICMP errors in a socket's error queue, also of a TCP socket whose SYN is on its way and without any
privilege. So a firewall's message, which names its sender, is told apart from the reset of a host, although the errno
of both is ECONNREFUSED.
"""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from mooring.errors import IcmpMessage

_IP_RECVERR, _IPV6_RECVERR = 11, 25
"""Of linux/in.h and linux/in6.h; Python has no names for them."""

_EXTENDED_ERROR = struct.Struct("=IBBBBII")
"""struct sock_extended_err of linux/errqueue.h: errno, origin (2: ICMP, 3: ICMPv6), type, code, padding, info, data;
behind it the sender."""
_SENDER4 = slice(_EXTENDED_ERROR.size + 4, _EXTENDED_ERROR.size + 8)
_SENDER6 = slice(_EXTENDED_ERROR.size + 8, _EXTENDED_ERROR.size + 24)
"""Where the address is in the sockaddr_in or sockaddr_in6 behind it."""

_RTT_US = 68
_TOTAL_RETRANSMITS = 100
"""Where these 32-bit numbers are in struct tcp_info of linux/tcp.h."""
_TCP_INFO_SIZE = 104

_MOST_MESSAGES = 8
"""Read of one queue. The first one ends an attempt to connect; more can only come in the same moment."""


def listen_for_icmp(sock: socket.socket) -> None:
    """Have the kernel keep what answers the SYN; to be said before connecting."""
    _set(sock, 1)


def ignore_icmp(sock: socket.socket) -> None:
    """End ``listen_for_icmp``: on a connection that stands, it would make passing troubles of the way fatal."""
    _set(sock, 0)


def heard_icmp(sock: socket.socket) -> IcmpMessage | None:
    """The last ICMP message that came for this socket, if one did; it is told once."""
    last: IcmpMessage | None = None
    for _ in range(_MOST_MESSAGES):
        try:
            _, ancillary, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            break
        for level, kind, data in ancillary:
            last = read_error(level, kind, data) or last
    return last


def read_error(level: int, kind: int, data: bytes) -> IcmpMessage | None:
    """The ICMP message in a control message of an error queue; None if it is something else.

    Source: ip(7) and ipv6(7), IP_RECVERR.
    """
    if (level, kind) not in {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}:
        return None
    if len(data) < _EXTENDED_ERROR.size:
        return None
    _, origin, type_, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
    match origin:
        case 2 if len(data) >= _SENDER4.stop:
            return IcmpMessage(type_, code, str(IPv4Address(data[_SENDER4])))
        case 3 if len(data) >= _SENDER6.stop:
            return IcmpMessage(type_, code, str(IPv6Address(data[_SENDER6])))
        case _:
            return None


def retransmits(sock: socket.socket) -> int:
    """Segments that were sent again, before a connection stands: SYNs."""
    return _info(sock, _TOTAL_RETRANSMITS)


def rtt_ms(sock: socket.socket) -> float:
    """The kernel's estimate of a round trip, in milliseconds."""
    return _info(sock, _RTT_US) / 1000


def _info(sock: socket.socket, at: int) -> int:
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    return int(struct.unpack_from("=I", info, at)[0]) if len(info) >= at + 4 else 0


def _set(sock: socket.socket, value: int) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, value)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, value)
