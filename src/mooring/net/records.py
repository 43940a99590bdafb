"""SRV, MX and CNAME records, asked of the host's own name servers: the C library knows how to ask for addresses alone.

What is asked leaves as the host's look-ups do, by no source of ours: a name server is asked, never a mail server.
"""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.SRV import SRV

from mooring.errors import NameNotFound, ResolverTimeout
from mooring.net.connect import ResolverSocket
from mooring.net.stream import Endpoint

RESOLV_CONF = Path("/etc/resolv.conf")
PORT = 53
MOST_SERVERS = 3
"""As many as the C library reads (resolv.conf(5), MAXNS)."""

TIMEOUT_S = 2.0
"""Seconds for all name servers together. The caller does without the answer when it does not come."""

_DATAGRAM = 1232
"""Bytes of an answer over UDP that pass everywhere (DNS flag day 2020); a longer one is asked for over TCP."""


@dataclass(frozen=True, slots=True, order=True)
class SrvRecord:
    """A server of a service (RFC 2782); a target of "" says that the service is not offered."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True, order=True)
class MxRecord:
    """A host that takes a domain's mail; a name of "" says that it takes none (RFC 7505)."""

    preference: int
    exchange: str


class NameServers:
    """The name servers of ``resolv.conf``, one after the other.

    Args:
        servers: instead of those; tests name theirs.
    """

    def __init__(
        self, servers: tuple[Endpoint, ...] = (), *, file: Path = RESOLV_CONF, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._servers = servers
        self._file = file
        self._timeout_s = timeout_s

    async def srv(self, name: str) -> list[SrvRecord]:
        """The SRV records of a name, those to use first in front; none where there are none.

        Raises:
            NameNotFound: it is no name at all.
            ResolverTimeout: no name server knew, or none answered.
        """
        found = [cast("SRV", record) for record in await self._ask(name, dns.rdatatype.SRV)]
        records = [SrvRecord(r.priority, r.weight, r.port, _text(r.target.to_text())) for r in found]
        return sorted(records, key=lambda record: (record.priority, -record.weight))

    async def mx(self, name: str) -> list[MxRecord]:
        """The MX records of a name, the preferred in front; raises what ``srv`` raises."""
        found = [cast("MX", record) for record in await self._ask(name, dns.rdatatype.MX)]
        return sorted(MxRecord(record.preference, _text(record.exchange.to_text())) for record in found)

    async def alias(self, name: str) -> str:
        """What a name is another name of (CNAME); "" where it is none. Raises what ``srv`` raises."""
        found = [cast("CNAME", record) for record in await self._ask(name, dns.rdatatype.CNAME)]
        return _text(found[0].target.to_text()) if found else ""

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[dns.rdata.Rdata]:
        try:
            query = dns.message.make_query(f"{name}.", kind, use_edns=0, payload=_DATAGRAM)
        except (dns.exception.DNSException, UnicodeError) as e:
            raise NameNotFound(f"{name[:100]!r} is not a name") from e
        servers = self._servers or name_servers(self._file)
        for server in servers:
            try:
                async with asyncio.timeout(self._timeout_s / len(servers)):
                    answer = await _answer(server, query)
            except (TimeoutError, OSError, EOFError, dns.exception.DNSException):
                continue
            if answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
                return _records(answer)
        raise ResolverTimeout(f"no name server answered for the records of {name}")


def name_servers(file: Path) -> tuple[Endpoint, ...]:
    """The name servers that the file names; this host where it names none, as the C library has it."""
    try:
        lines = [line.split() for line in file.read_text(errors="replace").splitlines()]
    except OSError:
        lines = []
    named = [words[1].partition("%")[0] for words in lines if words[:1] == ["nameserver"] and len(words) > 1]
    found = [Endpoint(str(ip_address(address)), PORT) for address in named if is_address(address)]
    return tuple(found[:MOST_SERVERS]) or (Endpoint("127.0.0.1", PORT),)


async def _answer(server: Endpoint, query: dns.message.Message) -> dns.message.Message:
    answer = await _by_datagram(server, query)
    return await _by_stream(server, query) if answer.flags & dns.flags.TC else answer


async def _by_datagram(server: Endpoint, query: dns.message.Message) -> dns.message.Message:
    """Only what comes from the server and answers the question counts; anything else is passed over."""
    loop = asyncio.get_running_loop()
    with ResolverSocket(server, socket.SOCK_DGRAM) as sock:
        await loop.sock_connect(sock, (server.host, server.port))
        await loop.sock_sendall(sock, query.to_wire())
        while True:
            data = await loop.sock_recv(sock, 65535)
            try:
                answer = dns.message.from_wire(data, ignore_trailing=True)
            except dns.exception.DNSException:
                continue
            if query.is_response(answer):
                return answer


async def _by_stream(server: Endpoint, query: dns.message.Message) -> dns.message.Message:
    """The same over TCP, each message behind its length (RFC 1035 §4.2.2)."""
    loop = asyncio.get_running_loop()
    wire = query.to_wire()
    with ResolverSocket(server, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, (server.host, server.port))
        await loop.sock_sendall(sock, len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await _exactly(sock, 2), "big")
        answer = dns.message.from_wire(await _exactly(sock, length))
    if not query.is_response(answer):
        raise dns.exception.FormError("the answer is to another question")
    return answer


async def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await asyncio.get_running_loop().sock_recv(sock, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _records(answer: dns.message.Message) -> list[dns.rdata.Rdata]:
    """What the question's name leads to, through its aliases."""
    if not isinstance(answer, dns.message.QueryMessage):
        return []
    try:
        found = answer.resolve_chaining().answer
    except dns.exception.DNSException:
        return []
    return list(found) if found is not None else []


def _text(name: str) -> str:
    return name.rstrip(".").lower()


def is_address(text: str) -> bool:
    """Whether this is an IP address, and no name that leads to one."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
