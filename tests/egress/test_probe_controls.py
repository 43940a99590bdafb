"""What of a probe is our own: the way out, names, berths, the ledger, and whether a source works at all."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from datetime import datetime
from itertools import repeat

import pytest

from mooring.clock import SystemClock
from mooring.config import ControlTarget
from mooring.diagnosis.types import Exit, Outcome, Stage, Target, Vantage
from mooring.egress import Traffic
from tests.egress.exits import SERVER, UNPLUMBED, Exits, Names, Server, serving, stay_silent
from tests.egress.probed import (
    DYNAMIC,
    HOST,
    IMAP,
    IMPLICIT,
    STARTTLS,
    STATIC,
    authority,
    free_port_of,
    imap,
    observe,
    prober,
    tls,
)
from tests.probing import Probing, question

__all__ = ["authority", "tls"]


async def test_a_closed_port_and_a_filtered_one(exits: Exits) -> None:
    seen = await prober(exits).observe(IMAP, HOST, SERVER, STATIC, port=free_port_of(SERVER), tls=IMPLICIT)
    assert (seen.outcome, seen.icmp, seen.stage) == (Outcome.RESET, None, Stage.CONNECT)
    async with serving(stay_silent, admitted=[DYNAMIC]) as server:
        seen = await prober(exits).observe(IMAP, HOST, SERVER, STATIC, port=server.port, tls=IMPLICIT)
    assert (seen.outcome, seen.icmp, seen.stage) == (Outcome.SILENT, None, Stage.CONNECT)
    assert seen.local.startswith(f"{STATIC}:")


async def test_what_is_ours_is_not_the_servers(exits: Exits, server: Server) -> None:
    seen = await prober(exits).observe(IMAP, HOST, SERVER, UNPLUMBED, port=server.port)
    assert (seen.outcome, seen.stage, seen.source_address) == (Outcome.OURS, Stage.CONNECT, UNPLUMBED)
    unknown = prober(exits)
    unknown.exits["gone"] = Exit(Vantage.STATIC, "v3-us-static", "gone", "127.0.1.99")
    seen = await unknown.observe(IMAP, HOST, SERVER, "gone", port=server.port)
    assert seen.outcome is Outcome.OURS
    forbidden = await prober(exits).observe(IMAP, HOST, "169.254.169.254", STATIC, port=443)
    assert forbidden.outcome is Outcome.SPARED
    assert server.seen == []


async def test_no_berth_no_probe(exits: Exits, server: Server) -> None:
    exits.berths.set_limits({f"static-{STATIC}": 1})
    held = await exits.berths.take(f"static-{STATIC}", HOST, patience_s=1)
    seen = await prober(exits).observe(IMAP, HOST, SERVER, STATIC, port=server.port, tls=STARTTLS)
    assert (seen.outcome, server.seen) == (Outcome.SPARED, [])
    held.give_back()


async def test_the_ledger_tells_for_whom(exits: Exits, tls: ssl.SSLContext) -> None:
    await observe(exits, imap(), tls=tls)
    entry = await exits.entry()
    assert (entry.traffic, entry.application_id, entry.environment) == (Traffic.PROBE, "application", "v3-us-static")
    assert (entry.host, entry.remote, entry.source_address) == (HOST, SERVER, STATIC)


@pytest.mark.parametrize(
    ("host", "port", "addresses", "problem"),
    [
        (HOST, 993, (SERVER, "127.0.2.2"), ""),
        ("nowhere.test", 993, (), "no_such_name"),
        ("private.test", 993, (), "private"),
        ("half.test", 993, (), "mixed"),
    ],
)
async def test_look_ups(exits: Exits, host: str, port: int, addresses: tuple[str, ...], problem: str) -> None:
    names = Names(
        {HOST: [[SERVER, "127.0.2.2"]], "private.test": [["192.168.0.1"]], "half.test": [[SERVER, "10.0.0.1"]]}
    )
    probing = prober(exits, resolve=names)
    found = await probing.prober.look_up(question(Target(IMAP, host, port)), host, port)
    assert (found.host, found.addresses, found.problem) == (host, addresses, problem)
    assert (found.detail == "") == (problem == "")
    assert not any(address in found.detail for address in ("192.168.0.1", "10.0.0.1", SERVER))


@pytest.fixture
async def target() -> AsyncGenerator[Server]:
    """A control target, which answers our first source and not the second."""
    async with serving(stay_silent, admitted=[STATIC]) as running:
        yield running


async def control(
    probing: Probing, source: str, family: int = 4, *, since: datetime | None = None
) -> tuple[bool | None, str, str]:
    asked = question(Target(IMAP, HOST, 993))
    seen = await probing.prober.control(asked, probing.exits[source], family, since=since)
    return seen.works, seen.how, seen.target


async def test_a_control_target_tells_whether_a_source_works(exits: Exits, target: Server) -> None:
    at = ControlTarget(SERVER, target.port)
    probing = prober(exits, targets=[at])
    assert await control(probing, STATIC) == (True, "target", str(at))
    assert await control(probing, UNPLUMBED) == (False, "exit", "")
    assert await control(probing, STATIC, family=6) == (None, "", "")
    assert target.seen == [STATIC]


async def test_many_who_ask_at_once_cost_a_control_target_one_connection(exits: Exits, target: Server) -> None:
    probing = prober(exits, targets=[ControlTarget(SERVER, target.port)])
    found = await asyncio.gather(*(control(probing, STATIC) for _ in repeat(None, 20)))
    assert {works for works, _, _ in found} == {True}
    assert target.seen == [STATIC]


async def test_a_control_target_that_does_not_answer(exits: Exits, target: Server) -> None:
    at = ControlTarget(SERVER, free_port_of(SERVER))
    assert await control(prober(exits, targets=[at]), STATIC) == (False, "target", str(at))
    both = [at, ControlTarget(SERVER, target.port)]
    assert (await control(prober(exits, targets=both), STATIC))[0] is True


async def test_without_a_control_target_the_ledger_is_asked_and_names_nobody(exits: Exits, server: Server) -> None:
    names = Names({HOST: [[SERVER]], "other.test": [[SERVER]]})
    probing = prober(exits, resolve=names)
    await probing.observe(IMAP, HOST, SERVER, STATIC, port=server.port, tls=STARTTLS)
    assert await control(probing, STATIC) == (None, "", "")
    await probing.observe(IMAP, "other.test", SERVER, STATIC, port=server.port, tls=STARTTLS)
    assert await control(probing, STATIC) == (True, "ledger", "")
    assert await control(probing, STATIC, since=SystemClock().now()) == (None, "", "")
    assert await control(probing, DYNAMIC) == (None, "", "")
    seen = await probing.prober.control(question(Target(IMAP, HOST, 993)), probing.exits[STATIC], 4)
    assert "other" not in repr(seen)
