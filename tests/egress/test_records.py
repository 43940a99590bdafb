"""SRV and MX records of a real name server, of one that lies, and of none."""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest

from mooring.errors import NameNotFound, ResolverTimeout
from mooring.net import Endpoint
from mooring.net.records import MxRecord, NameServers, SrvRecord, name_servers
from tests.egress.nameserver import name_server, resolv_conf

ELSEWHERE = Endpoint("127.0.2.54", 9)
"""Nobody listens there, which this host says at once."""


@contextmanager
def answering(answer: Callable[[bytes, tuple[str, int], socket.socket], None]) -> Generator[Endpoint]:
    """A name server on a port of its own, one datagram at a time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.2.53", 0))
        loop = asyncio.get_running_loop()

        def serve() -> None:
            answer(*sock.recvfrom(4096), sock)

        loop.add_reader(sock, serve)
        try:
            yield Endpoint(*sock.getsockname())
        finally:
            loop.remove_reader(sock)


async def test_records_in_order() -> None:
    with name_server(
        "srv-host=_imaps._tcp.example.test,Second.example.test,993,20",
        "srv-host=_imaps._tcp.example.test,first.example.test,1993,10",
        "srv-host=_imap._tcp.example.test",
        "mx-host=example.test,b.example.test,20",
        "mx-host=example.test,a.example.test,10",
        "cname=autodiscover.example.test,Elsewhere.test",
        "host-record=elsewhere.test,192.0.2.1",
    ) as server:
        names = NameServers((server,))
        assert await names.srv("_imaps._tcp.example.test") == [
            SrvRecord(10, 0, 1993, "first.example.test"),
            SrvRecord(20, 0, 993, "second.example.test"),
        ]
        assert await names.srv("_imap._tcp.example.test") == [SrvRecord(0, 0, 1, "")]
        assert await names.mx("example.test") == [MxRecord(10, "a.example.test"), MxRecord(20, "b.example.test")]
        assert await names.mx("nowhere.test") == []
        assert await names.alias("autodiscover.example.test") == "elsewhere.test"
        assert await names.alias("example.test") == ""
        assert await names.srv("_imaps._tcp.nowhere.test") == []


async def test_an_answer_that_is_too_long_for_a_datagram_comes_over_tcp() -> None:
    many = [f"srv-host=_imaps._tcp.example.test,server-number-{n:03}.example.test,993,{n}" for n in range(60)]
    with name_server(*many, arguments=["--edns-packet-max=512"]) as server:
        found = await NameServers((server,)).srv("_imaps._tcp.example.test")
    assert [record.priority for record in found] == list(range(60))


async def test_the_next_name_server_is_asked_when_one_is_not_there() -> None:
    with name_server("mx-host=example.test,a.example.test,10") as server:
        assert await NameServers((ELSEWHERE, server)).mx("example.test") == [MxRecord(10, "a.example.test")]


async def test_the_next_name_server_is_asked_when_one_does_not_know() -> None:
    def refuse(data: bytes, client: tuple[str, int], sock: socket.socket) -> None:
        response = dns.message.make_response(dns.message.from_wire(data))
        response.set_rcode(dns.rcode.REFUSED)
        sock.sendto(response.to_wire(), client)

    with name_server("mx-host=example.test,a.example.test,10") as server, answering(refuse) as refusing:
        assert await NameServers((refusing, server)).mx("example.test") == [MxRecord(10, "a.example.test")]
        with pytest.raises(ResolverTimeout):
            await NameServers((refusing,)).mx("example.test")


async def test_no_name_server_at_all_is_told_at_once() -> None:
    with pytest.raises(ResolverTimeout):
        await NameServers((ELSEWHERE,), timeout_s=60.0).mx("example.test")


async def test_a_silent_name_server_is_given_up() -> None:
    with answering(lambda data, client, sock: None) as silent, pytest.raises(ResolverTimeout):
        await NameServers((silent,), timeout_s=0.2).mx("example.test")


async def test_answers_to_other_questions_and_rubbish_are_passed_over() -> None:
    def lie_first(data: bytes, client: tuple[str, int], sock: socket.socket) -> None:
        query = dns.message.from_wire(data)
        for wrong in (dns.message.make_query("example.test", "MX"), dns.message.make_query("other.test", "MX")):
            forged = dns.message.make_response(wrong)
            forged.answer = [dns.rrset.from_text(wrong.question[0].name, 60, "IN", "MX", "1 evil.test.")]
            forged.id = query.id if wrong.question[0].name != query.question[0].name else query.id ^ 1
            sock.sendto(forged.to_wire(), client)
        sock.sendto(b"\x00rubbish", client)
        honest = dns.message.make_response(query)
        honest.answer = [
            dns.rrset.from_text("example.test.", 60, "IN", "CNAME", "alias.test."),
            dns.rrset.from_text("alias.test.", 60, "IN", "MX", "10 a.example.test."),
        ]
        sock.sendto(honest.to_wire(), client)

    with answering(lie_first) as server:
        assert await NameServers((server,)).mx("example.test") == [MxRecord(10, "a.example.test")]


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", ".".join(["abcdefgh"] * 30)])
async def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(NameNotFound):
        await NameServers((ELSEWHERE,)).mx(name)


def test_the_name_servers_of_the_host(tmp_path: Path) -> None:
    assert name_servers(tmp_path / "none") == (Endpoint("127.0.0.1", 53),)
    file = resolv_conf(
        tmp_path, "# nameserver 192.0.2.9", "search example.test", "nameserver 192.0.2.1", "nameserver fe80::1%eth0",
        "nameserver nonsense", "nameserver", " nameserver\t192.0.2.3", "nameserver 192.0.2.4",
    )  # fmt: skip
    assert [server.host for server in name_servers(file)] == ["192.0.2.1", "fe80::1", "192.0.2.3"]
    assert name_servers(resolv_conf(tmp_path, "")) == (Endpoint("127.0.0.1", 53),)
