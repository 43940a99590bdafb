"""Code that connects past the dialer is stopped before its SYN; what must connect by itself is not."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mooring.store import DatabaseUrl
from tests.egress.exits import SERVER, SOURCES, Server

#: A process of its own: a tripwire, once armed, stays.
_PROGRAM = """
import asyncio, json, socket, ssl, sys, urllib.request
from contextlib import closing
import httpx
from mooring.egress import arm_tripwire
from mooring.net import Endpoint
from mooring.net.connect import ResolverSocket
from mooring.net.tripwire import UndialledConnect

host, port, excepted_port, unix, source, database_url = sys.argv[1:]
port, excepted_port = int(port), int(excepted_port)
url = f"http://{host}:{port}/"

def plain(): socket.create_connection((host, port), timeout=5).close()
def datagram():
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock: sock.connect((host, port))
def sendto():
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock: sock.sendto(b"?", (host, port))
def sendmsg():
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock: sock.sendmsg([b"?"], [], 0, (host, port))
def fast_open():
    with closing(socket.socket()) as sock: sock.sendto(b"?", socket.MSG_FASTOPEN, (host, port))
def not_blocking():
    with closing(socket.socket()) as sock:
        sock.setblocking(False)
        sock.connect_ex((host, port))
def ipv6(): socket.create_connection(("::1", port), timeout=5).close()
def urllib_(): urllib.request.urlopen(url, timeout=5).close()
def streams(): asyncio.run(asyncio.wait_for(asyncio.open_connection(host, port), 5))
def httpx_(): httpx.get(url, timeout=5)
async def _httpx_async():
    async with httpx.AsyncClient(timeout=5) as client: await client.get(url)
def httpx_async(): asyncio.run(_httpx_async())
def excepted(): socket.create_connection((host, excepted_port), timeout=5).close()
def beside_excepted(): socket.create_connection(("127.0.2.9", excepted_port), timeout=5).close()
def resolver():
    with ResolverSocket(Endpoint(host, port), socket.SOCK_DGRAM) as sock: sock.connect((host, port))
def beside_resolver():
    with ResolverSocket(Endpoint(host, port), socket.SOCK_DGRAM) as sock: sock.connect((host, port + 1))
def past_resolver():
    with ResolverSocket(Endpoint(host, port), socket.SOCK_DGRAM) as sock: sock.sendto(b"?", ("127.0.2.9", port))
def unix_socket():
    with closing(socket.socket(socket.AF_UNIX)) as sock: sock.connect(unix)
def pair():
    one, other = socket.socketpair()
    with closing(one), closing(other): one.sendmsg([b"?"])
def connected():
    with closing(socket.create_connection((host, excepted_port), timeout=5)) as sock: sock.sendmsg([b"?"])

async def _dialled():
    from mooring.store import Database
    from tests.egress.exits import Exits, bound, dial_to
    database = await Database.open(database_url)
    exits = Exits(database)
    stream = await exits.dialer(bound(source)).dial(dial_to(host, port))
    said = (stream.local.host, (await stream.receive(timeout_s=5)).decode())
    await stream.aclose()
    await exits.ledger.aclose()
    await database.close()
    return said
def dialled(): return asyncio.run(_dialled())

def stopped(error):
    while error is not None:
        if isinstance(error, UndialledConnect): return True
        error = error.__cause__ or error.__context__ or getattr(error, "reason", None)
    return False

arm_tripwire({(host, excepted_port)})
found = {}
for attempt in (plain, datagram, sendto, sendmsg, fast_open, not_blocking, ipv6, urllib_, streams, httpx_, httpx_async,
                excepted, beside_excepted, resolver, beside_resolver, past_resolver, unix_socket, pair, connected,
                dialled):
    try:
        found[attempt.__name__] = attempt() or "connected"
    except BaseException as e:
        found[attempt.__name__] = "stopped" if stopped(e) else repr(e)
print(json.dumps(found))
"""


@pytest.fixture
async def found(server: Server, database_url: DatabaseUrl, tmp_path: Path) -> dict[str, Any]:
    """What became of each attempt in a process with an armed tripwire."""
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as excepted:
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        excepted.bind((SERVER, 0))
        excepted.listen()
        arguments = [SERVER, server.port, excepted.getsockname()[1], tmp_path / "socket", SOURCES[1], str(database_url)]
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_only_the_dialer_connects(found: dict[str, Any], server: Server) -> None:
    undialled = [
        "plain", "datagram", "sendto", "sendmsg", "fast_open", "not_blocking", "ipv6", "urllib_", "streams", "httpx_",
        "httpx_async",
    ]  # fmt: skip
    assert {name: found[name] for name in undialled} == dict.fromkeys(undialled, "stopped")
    assert found["dialled"] == [SOURCES[1], "hello\r\n"]
    assert server.seen == [SOURCES[1]]


async def test_the_database_and_sockets_of_this_host_are_excepted_and_nothing_beside_them(
    found: dict[str, Any],
) -> None:
    names = ("excepted", "unix_socket", "pair", "connected", "beside_excepted")
    assert [found[name] for name in names] == ["connected"] * 4 + ["stopped"]


async def test_a_question_goes_to_its_name_server_and_nowhere_else(found: dict[str, Any]) -> None:
    names = ("resolver", "beside_resolver", "past_resolver")
    assert [found[name] for name in names] == ["connected", "stopped", "stopped"]
