"""What is read out of a socket's error queue."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.errors import IcmpMessage
from mooring.net.icmp import read_error

_IP = (socket.IPPROTO_IP, 11)
_IPV6 = (socket.IPPROTO_IPV6, 25)


def error(origin: int, type_: int, code: int) -> bytes:
    return struct.pack("=IBBBBII", 113, origin, type_, code, 0, 0, 0)


def ipv4(address: str) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_pton(socket.AF_INET, address))


def ipv6(address: str) -> bytes:
    return struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, address), 0)


def test_a_routers_message_names_its_sender() -> None:
    told = read_error(*_IP, error(2, 3, 13) + ipv4("192.0.2.1"))
    assert told == IcmpMessage(3, 13, "192.0.2.1")
    assert str(told) == "ICMP 3/13 from 192.0.2.1"


def test_so_does_one_of_ipv6() -> None:
    told = read_error(*_IPV6, error(3, 1, 1) + ipv6("2001:db8::1"))
    assert told == IcmpMessage(1, 1, "2001:db8::1")
    assert str(told) == "ICMPv6 1/1 from 2001:db8::1"


@pytest.mark.parametrize(
    ("level", "kind", "data"),
    [
        (socket.IPPROTO_IP, 8, error(2, 3, 13) + ipv4("192.0.2.1")),
        (*_IP, error(1, 0, 0) + ipv4("192.0.2.1")),
        (*_IP, error(2, 3, 13)),
        (*_IPV6, error(3, 1, 1) + ipv4("192.0.2.1")),
        (*_IP, b""),
    ],
    ids=["another message", "an error of our own host", "no sender", "half a sender", "nothing"],
)
def test_what_is_no_icmp_message_is_none(level: int, kind: int, data: bytes) -> None:
    assert read_error(level, kind, data) is None


@given(st.binary(max_size=64))
def test_no_bytes_break_it(data: bytes) -> None:
    read_error(*_IP, data)
    read_error(*_IPV6, data)
