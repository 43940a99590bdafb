"""``mooring egress check``: what a reflector sees against what is published."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from mooring.config import Carrier, PoolConfig, SourceConfig
from mooring.egress import GuardMode, GuardState, SourceCheck, check_sources
from mooring.errors import InvalidRequest
from mooring.net.listener import free_port
from tests.egress.exits import PROXY, SERVER, SOURCES, STATIC, UNPLUMBED, Exits, Handler, bound, proxied, serving
from tests.egress.test_http import answering, break_http, read_head


def reflecting(form: str) -> Handler:
    """A reflector: it answers with the address that it sees, in this form."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_head(reader):
            body = form.replace("SEEN", writer.get_extra_info("peername")[0])
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    return handle


@pytest.fixture
async def reflector() -> AsyncGenerator[str]:
    """The URL of a reflector."""
    async with serving(reflecting("SEEN\n")) as server:
        yield f"http://{SERVER}:{server.port}/reflect"


UNWATCHED = GuardState(GuardMode.UNWATCHED)


async def check(exits: Exits, reflector: str, *sources: SourceConfig) -> list[SourceCheck]:
    return await check_sources(exits.dialer(*sources), [PoolConfig(STATIC, sources)], reflector, UNWATCHED)


async def test_what_is_seen_is_what_is_published(exits: Exits, reflector: str) -> None:
    found = await check(exits, reflector, *(bound(address) for address in SOURCES))
    assert [(c.environment, c.published, c.seen, c.ok) for c in found] == [
        ("v3-us-static", address, address, True) for address in SOURCES
    ]


async def test_an_address_that_is_mapped_otherwise_is_a_mismatch(exits: Exits, reflector: str) -> None:
    right, wrong = bound(SOURCES[0]), bound("203.0.113.50", local=SOURCES[1])
    first, second = await check(exits, reflector, right, wrong)
    assert first.ok
    assert not second.ok
    assert (second.published, second.seen) == ("203.0.113.50", SOURCES[1])
    assert second.verdict == f"is published as 203.0.113.50, and seen as {SOURCES[1]}"


@pytest.mark.parametrize("form", ["SEEN", '{"ip": "SEEN"}', "You are SEEN.", "::ffff:SEEN", "<b>added:</b> SEEN"])
async def test_reflectors_answer_in_many_forms(exits: Exits, form: str) -> None:
    async with serving(reflecting(form)) as server:
        (found,) = await check(exits, f"http://{SERVER}:{server.port}/", bound(SOURCES[0]))
    assert (found.seen, found.ok) == (SOURCES[0], True)


@pytest.mark.parametrize("reflect", [True, False])
async def test_a_source_that_cannot_be_used_is_said_so_and_the_others_are_checked(
    exits: Exits, reflector: str, reflect: bool
) -> None:
    dead = proxied(Carrier.SOCKS5, free_port(IPv4Address(PROXY)))
    found = await check(exits, reflector if reflect else "", bound(UNPLUMBED), dead, bound(SOURCES[0]))
    assert [c.ok for c in found] == [False, False, True]
    assert f"{UNPLUMBED} is not an address of this host" in found[0].verdict
    assert "cannot be reached" in found[1].verdict


async def test_a_reflector_that_does_not_reflect_is_not_a_verdict_about_the_source(exits: Exits) -> None:
    async with serving(answering("HTTP/1.1 200 OK", body=b"hello")) as server:
        (found,) = await check(exits, f"http://{SERVER}:{server.port}/", bound(SOURCES[0]))
    assert (found.ok, found.seen, found.verdict) == (False, "", "the reflector's answer holds no address")
    async with serving(answering("HTTP/1.1 403 Forbidden", body=b"203.0.113.9")) as server:
        (found,) = await check(exits, f"http://{SERVER}:{server.port}/", bound(SOURCES[0]))
    assert (found.ok, found.seen) == (False, "")
    assert "answered 403" in found.verdict
    async with serving(break_http) as server:
        (found,) = await check(exits, f"http://{SERVER}:{server.port}/", bound(SOURCES[0]))
    assert "did not answer as one" in found.verdict
    (found,) = await check(exits, f"http://{SERVER}:{free_port(IPv4Address(SERVER))}/", bound(SOURCES[0]))
    assert "could not be asked" in found.verdict


async def test_a_reflector_that_never_ends_is_read_no_further_than_its_beginning(exits: Exits) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + writer.get_extra_info("peername")[0].encode() + b"\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    async with serving(endless) as server:
        (found,) = await check(exits, f"http://{SERVER}:{server.port}/", bound(SOURCES[0]))
    assert (found.seen, found.ok) == (SOURCES[0], True)


@pytest.mark.parametrize("location", ["http://[::1", "http://xn--a/", "http://169.254.169.254/"])
async def test_a_reflector_that_points_elsewhere_is_not_followed(exits: Exits, location: str) -> None:
    async with serving(answering("HTTP/1.1 302 Found", f"Location: {location}")) as server:
        (found,) = await check(exits, f"http://{SERVER}:{server.port}/", bound(SOURCES[0]))
        assert len(server.seen) == 1
    assert (found.ok, found.seen) == (False, "")
    assert found.verdict.startswith("the reflector")


@pytest.mark.parametrize("reflector", ["reflector.test", "ftp://reflector.test/", "://", "http://xn--a/", "http:///"])
async def test_a_reflector_is_a_url(exits: Exits, reflector: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a URL"):
        await check(exits, reflector, bound(SOURCES[0]))


@pytest.mark.parametrize("reflect", [True, False])
async def test_a_source_that_the_guard_does_not_know_is_said_so(exits: Exits, reflector: str, reflect: bool) -> None:
    proxy = proxied(Carrier.SOCKS5, free_port(IPv4Address(PROXY)))
    sources = [*(bound(address) for address in SOURCES), proxy]
    guard = GuardState(GuardMode.DROPPING, leaks=0, sources=frozenset({ip_address(SOURCES[0])}))
    pool = PoolConfig(STATIC, tuple(sources))
    found = await check_sources(exits.dialer(*sources), [pool], reflector if reflect else "", guard)
    assert [(c.guard, c.ok) for c in found] == [("admitted", True), ("not_admitted", False), ("dropping", False)]
    assert "its connections are leaks and are dropped" in found[1].verdict
    assert "mooring egress guard --apply" in found[1].verdict


def configuration(database_url: str, *sources: SourceConfig) -> str:
    """A ``mooring.toml`` with one pool of these sources."""
    tables = [
        f'[[egress.source]]\nname = "{s.name}"\naddress = "{s.address}"\nvia = "bind:{s.via.local}"\n' for s in sources
    ]
    names = json.dumps([s.name for s in sources])
    pool = f'[[egress.pool]]\ngeneration = "v3"\nkind = "static"\nsources = {names}\n'
    allow = '[policy]\nallow_private_targets = ["127.0.2.0/24"]\n'
    return "\n".join([f'[database]\nurl = "{database_url}"\n', allow, *tables, pool])


async def run_check(folder: Path, reflector: str) -> tuple[int, list[dict[str, Any]]]:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "mooring", "egress", "check", "--reflector", reflector, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


async def test_the_command_ends_well_only_when_every_source_is_seen_as_published(
    reflector: str, database_url: str, tmp_path: Path
) -> None:
    sources = [bound(address) for address in SOURCES]
    (tmp_path / "mooring.toml").write_text(configuration(database_url, *sources))
    status, found = await run_check(tmp_path, reflector)
    assert status == 0
    assert [(c["published"], c["seen"], c["ok"]) for c in found] == [(a, a, True) for a in SOURCES]

    mapped = replace(sources[1], address=IPv4Address("203.0.113.50"))
    (tmp_path / "mooring.toml").write_text(configuration(database_url, sources[0], mapped))
    status, found = await run_check(tmp_path, reflector)
    assert status == 1
    assert [(c["published"], c["seen"], c["ok"]) for c in found] == [
        (SOURCES[0], SOURCES[0], True),
        ("203.0.113.50", SOURCES[1], False),
    ]
