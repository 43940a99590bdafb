"""A listener that only some sources reach: the firewall of this floor, and of the demonstration."""

from collections.abc import Generator
from ipaddress import IPv4Address

import pytest

from mooring.errors import ConfigError, ConnectTimeout
from mooring.net.connect import DialledSocket, connect
from mooring.net.listener import AdmittingListener

HOST = IPv4Address("127.0.2.40")
ADMITTED = (IPv4Address("127.0.1.40"), IPv4Address("127.0.1.41"), IPv4Address("127.0.1.43"))
STRANGERS = (IPv4Address("127.0.1.42"), IPv4Address("127.0.1.44"), HOST, IPv4Address("127.0.0.1"))

NOTICED_S = 0.4
"""Seconds after which nobody answers any more: a SYN within this host is answered in microseconds."""


@pytest.fixture
def listener() -> Generator[AdmittingListener]:
    with AdmittingListener(HOST, admitted=ADMITTED) as listening:
        yield listening


async def reach(listener: AdmittingListener, source: IPv4Address) -> DialledSocket:
    """A connection from this source."""
    return await connect(listener.endpoint, local=source, timeout_s=NOTICED_S)


@pytest.mark.parametrize("source", ADMITTED)
async def test_an_admitted_source_connects_and_is_remembered(listener: AdmittingListener, source: IPv4Address) -> None:
    with await reach(listener, source) as sock:
        connection, _ = listener.accept()
        connection.close()
        assert [(end.host, end.port) for end in listener.accepted] == [sock.getsockname()]


@pytest.mark.parametrize("source", STRANGERS)
async def test_a_stranger_hears_nothing(listener: AdmittingListener, source: IPv4Address) -> None:
    with pytest.raises(ConnectTimeout):
        await reach(listener, source)
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert listener.accepted == []


async def test_strangers_do_not_get_in_by_trying_again_nor_keep_others_out(listener: AdmittingListener) -> None:
    for _ in range(3):
        with pytest.raises(ConnectTimeout):
            await reach(listener, STRANGERS[0])
    with await reach(listener, ADMITTED[0]):
        connection, peer = listener.accept()
        connection.close()
    assert peer[0] == str(ADMITTED[0])


async def test_a_host_that_is_admitted_to_itself(listener: AdmittingListener) -> None:
    with AdmittingListener(HOST, admitted=[HOST, HOST + 1]) as own:
        (await reach(own, HOST)).close()
        (await reach(own, HOST + 1)).close()
        with pytest.raises(ConnectTimeout):
            await reach(own, HOST + 2)


def test_an_address_that_is_not_ours_is_said_to_be_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        AdmittingListener(IPv4Address("192.0.2.1"), admitted=ADMITTED)
