"""What is known of a handshake of TCP when it is over, and that listening to ICMP is over as well."""

import socket
from dataclasses import replace

import pytest

from mooring.errors import ConnectionRefused, ConnectTimeout
from tests.egress.exits import (
    SERVER,
    SOURCES,
    TIMEOUTS,
    Exits,
    Server,
    bound,
    dial_to,
    serving,
    serving_ipv6,
    stay_silent,
)
from tests.egress.probed import free_port_of


async def test_how_long_it_took_and_that_nothing_was_repeated(exits: Exits, server: Server) -> None:
    stream = await exits.dialer().dial(dial_to(SERVER, server.port))
    assert 0 < stream.rtt_ms < 1000
    assert stream.retransmits == 0
    await stream.aclose()


async def test_a_connection_that_stands_does_not_listen_to_icmp(exits: Exits, server: Server) -> None:
    """It would make a passing trouble of the way the connection's end (ip(7), IP_RECVERR)."""
    stream = await exits.dialer().dial(dial_to(SERVER, server.port))
    sock = stream.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_IP, 11) == 0
    await stream.aclose()
    async with serving_ipv6() as port:
        stream = await exits.dialer(bound("::1")).dial(dial_to("::1", port))
        assert stream.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_IPV6, 25) == 0
        await stream.aclose()


async def test_syns_that_are_sent_again_are_counted(exits: Exits) -> None:
    async with serving(stay_silent, admitted=["127.0.0.1"]) as server:
        timeouts = replace(TIMEOUTS, connect_s=1.5, total_s=1.6)
        with pytest.raises(ConnectTimeout) as caught:
            await exits.dialer(timeouts=timeouts).dial(dial_to(SERVER, server.port))
    assert (caught.value.retransmits, caught.value.icmp) == (1, None)


async def test_a_reset_comes_without_a_message(exits: Exits) -> None:
    with pytest.raises(ConnectionRefused) as caught:
        await exits.dialer(bound(SOURCES[0])).dial(dial_to(SERVER, free_port_of(SERVER)))
    assert (caught.value.retransmits, caught.value.icmp) == (0, None)
