"""HTTP leaves by the dialer too: no redirect by itself, no proxy of the environment, our own errors."""

import asyncio
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import httpx
import pytest

from mooring.config import Carrier
from mooring.egress import Dialer, Outcome, http_client
from mooring.errors import (
    ConnectionRefused,
    ConnectTimeout,
    NameNotFound,
    ReadTimeout,
    SourceUnavailable,
    TargetNotAllowed,
)
from mooring.net.listener import free_port
from tests.egress.exits import (
    OTHER_SERVER,
    PROXY,
    SERVER,
    SOURCES,
    Exits,
    Handler,
    Names,
    bound,
    dial_to,
    proxied,
    serving,
    stay_silent,
)

#: Where the tests' servers are, and nothing else.
SERVERS = (ip_network("127.0.2.0/24"),)


def answering(*lines: str, body: bytes = b"", requests: list[bytes] | None = None) -> Handler:
    """A server that gives every request the same answer."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_head(reader):
            if requests is not None:
                requests.append(head)
            told = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body)}"))
            writer.write(told.encode() + b"\r\n" + body)

    return handle


async def break_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server of some other protocol."""
    writer.write(b"* OK ready\r\n\r\n")
    await reader.read()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def client(dialer: Dialer, *, timeout_s: float = 5.0) -> httpx.AsyncClient:
    return http_client(dialer, dial_to, timeout_s=timeout_s)


async def test_a_request_leaves_from_the_source_and_the_connection_is_kept(exits: Exits) -> None:
    async with serving(answering("HTTP/1.1 200 OK", body=b"hello")) as server:
        async with client(exits.dialer()) as http:
            for _ in range(3):
                answer = await http.get(f"http://{SERVER}:{server.port}/")
                assert (answer.status_code, answer.text) == (200, "hello")
        assert server.seen == [SOURCES[0]]
    entry = await exits.entry()
    assert (entry.outcome, entry.source_address) == (Outcome.OPENED, SOURCES[0])
    assert entry.closed_at is not None


async def test_one_source_can_be_asked_for(exits: Exits) -> None:
    sources = [bound(address) for address in SOURCES]
    async with serving(answering("HTTP/1.1 200 OK")) as server:
        for source in sources:
            async with http_client(exits.dialer(*sources), dial_to, source=source) as http:
                await http.get(f"http://{SERVER}:{server.port}/")
        assert server.seen == list(SOURCES)


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://[::1]:{port}/", "http://169.254.169.254/latest"],
)
async def test_a_redirect_inside_is_not_followed_and_its_target_is_refused(exits: Exits, target: str) -> None:
    async with serving(address="127.0.0.1") as inside:
        target = target.format(port=inside.port)
        async with serving(answering("HTTP/1.1 302 Found", f"Location: {target}")) as server:
            async with client(exits.dialer(allow=SERVERS)) as http:
                answer = await http.get(f"http://{SERVER}:{server.port}/")
                assert (answer.status_code, answer.headers["Location"]) == (302, target)
                with pytest.raises(TargetNotAllowed):
                    await http.get(answer.headers["Location"])
                with pytest.raises(TargetNotAllowed):
                    await http.get(f"http://{SERVER}:{server.port}/", follow_redirects=True)
            assert len(server.seen) == 1
        assert inside.seen == []
    opened, *refused = await exits.entries()
    assert opened.outcome == Outcome.OPENED
    assert [(e.outcome, e.cause) for e in refused] == [(Outcome.NOT_DIALLED, "target_not_allowed")] * 2


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"])
async def test_proxies_of_the_environment_are_not_asked(
    exits: Exits, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(address=PROXY) as proxy, serving(answering("HTTP/1.1 204 No Content")) as server:
        monkeypatch.setenv(variable, f"http://{PROXY}:{proxy.port}")
        async with client(exits.dialer()) as http:
            assert (await http.get(f"http://{SERVER}:{server.port}/")).status_code == 204
        assert (server.seen, proxy.seen) == ([SOURCES[0]], [])


async def test_logins_of_a_netrc_are_not_sent(exits: Exits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {SERVER} login someone password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    requests: list[bytes] = []
    async with serving(answering("HTTP/1.1 200 OK", requests=requests)) as server, client(exits.dialer()) as http:
        await http.get(f"http://{SERVER}:{server.port}/")
    (request,) = requests
    assert b"authorization" not in request.lower()


async def test_failures_on_the_way_are_our_own_errors(exits: Exits) -> None:
    async with serving() as server:
        async with client(exits.dialer()) as http:
            with pytest.raises(ConnectionRefused):
                await http.get(f"http://{OTHER_SERVER}:{server.port}/")
        async with client(exits.dialer(names=Names({}))) as http:
            with pytest.raises(NameNotFound):
                await http.get("http://nowhere.test/")
        dead = proxied(Carrier.HTTP, free_port(IPv4Address(PROXY)))
        async with client(exits.dialer(dead)) as http:
            with pytest.raises(SourceUnavailable):
                await http.get(f"http://{SERVER}:{server.port}/")
    async with serving(admitted=()) as filtered, client(exits.dialer()) as http:
        with pytest.raises(ConnectTimeout):
            await http.get(f"http://{SERVER}:{filtered.port}/")
    async with serving(stay_silent) as silent, client(exits.dialer(), timeout_s=0.3) as http:
        with pytest.raises(ReadTimeout):
            await http.get(f"http://{SERVER}:{silent.port}/")


async def test_a_server_that_breaks_http_is_httpxs_error(exits: Exits) -> None:
    async with serving(break_http) as server, client(exits.dialer()) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"http://{SERVER}:{server.port}/")


async def test_a_url_of_another_kind_is_not_dialled(exits: Exits) -> None:
    async with client(exits.dialer()) as http:
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get(f"ftp://{SERVER}/")
    assert await exits.entries() == []
