"""The guard as text: what the rules say, what the kernel's listing means, what the file of a watch is worth."""

import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from mooring.clock import SystemClock
from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.egress import Guard, GuardFile, GuardMode, GuardState, Leak, Opening, guard_of, read_opening, ruleset
from mooring.egress.guard import read_listing
from mooring.errors import ConfigError

TABLE = "inet mooring_guard_1001"
STATIC = EnvironmentName(Generation.V3, "us", Kind.STATIC)


def guard(*sources: str, openings: tuple[Opening, ...] = (), drop: bool = False) -> Guard:
    return Guard(1001, "mooring", tuple(map(ip_address, sources)), openings, drop)


def judged(rules: str) -> list[str]:
    """What the chain that judges does, in order."""
    start = f"add rule {TABLE} judge "
    return [line.removeprefix(start) for line in rules.splitlines() if line.startswith(start)]


def test_both_families_are_judged_whatever_the_pools_have() -> None:
    rules = ruleset(guard("192.0.2.7"))
    assert f"add element {TABLE} sources4 {{ 192.0.2.7 }}" in rules
    assert "add element" not in rules.replace(f"add element {TABLE} sources4", "")
    assert judged(rules) == [
        "tcp flags & (fin | syn | rst | ack) != syn accept",
        'meta l4proto { tcp, udp } th dport 53 accept comment "name servers"',
        "ip saddr @sources4 accept",
        "ip6 saddr @sources6 accept",
        "goto leak",
    ]


def test_an_address_of_several_pools_is_admitted_once_and_the_order_is_always_the_same() -> None:
    rules = ruleset(guard("192.0.2.9", "2001:db8::2", "192.0.2.10", "192.0.2.9", "2001:db8::1"))
    assert "sources4 { 192.0.2.9, 192.0.2.10 }" in rules
    assert "sources6 { 2001:db8::1, 2001:db8::2 }" in rules


def test_openings_lie_between_the_sources_and_the_verdict() -> None:
    openings = (
        Opening(ip_network("10.0.0.5"), 1080, "proxy"),
        Opening(ip_network("2001:db8::/32"), 5432, "database"),
        Opening(ip_network("10.1.0.0/16"), None, "allowed"),
    )
    assert judged(ruleset(guard("192.0.2.7", openings=openings)))[4:] == [
        'ip daddr 10.0.0.5/32 tcp dport 1080 accept comment "proxy"',
        'ip6 daddr 2001:db8::/32 tcp dport 5432 accept comment "database"',
        'ip daddr 10.1.0.0/16 accept comment "allowed"',
        "goto leak",
    ]


def test_only_drop_stops_anything() -> None:
    assert " drop" not in ruleset(guard("192.0.2.7"))
    rules = ruleset(guard("192.0.2.7", drop=True)).splitlines()
    assert rules[-1] == f"add rule {TABLE} leak drop"
    assert len([line for line in rules if line.endswith(" drop")]) == 3


def test_nothing_of_ours_is_deleted_so_that_the_count_goes_on() -> None:
    lines = [line for line in ruleset(guard("192.0.2.7")).splitlines() if not line.startswith("#")]
    assert {line.split()[0] for line in lines} == {"add", "flush"}
    assert {line.split()[1] for line in lines if line.startswith("flush")} == {"chain", "set"}
    assert not [line for line in lines if line.startswith("flush set") and "leaked" in line]
    assert all(TABLE in line for line in lines)


def listing(*, packets: int = 0, drop: bool = False, chains: tuple[str, ...] = ("output", "judge", "leak")) -> Any:
    """As ``nft -j`` 1.0.6 prints it, without what is not read."""
    leaked = {"elem": {"val": {"concat": ["tcp", "10.99.0.99", 54130, "10.99.0.1", 993]}, "expires": 594}}
    leaked6 = {"elem": {"val": {"concat": ["udp", "fd99::99", 4711, "fd99::1", 99]}, "expires": 1}}
    return json.loads(
        json.dumps(
            {
                "nftables": [
                    {"metainfo": {"version": "1.0.6"}},
                    {"table": {"family": "inet", "name": "mooring_guard_1001"}},
                    {"counter": {"name": "leaks", "packets": packets, "bytes": 60 * packets}},
                    {"set": {"name": "sources4", "elem": ["10.99.0.10"]}},
                    {"set": {"name": "sources6"}},
                    {"set": {"name": "leaked4", "elem": [leaked]}},
                    {"set": {"name": "leaked6", "elem": [leaked6]}},
                    *({"chain": {"name": chain}} for chain in ("output", "judge", "leak")),
                    *({"rule": {"chain": chain, "expr": [{"counter": "leaks"}]}} for chain in chains),
                    *([{"rule": {"chain": "leak", "expr": [{"drop": None}]}}] if drop else []),
                ]
            }
        )
    )


@pytest.mark.parametrize(("drop", "mode"), [(False, GuardMode.COUNTING), (True, GuardMode.DROPPING)])
def test_what_the_kernel_says_is_read(drop: bool, mode: GuardMode) -> None:
    assert read_listing(listing(packets=3, drop=drop)) == GuardState(
        mode,
        leaks=3,
        sources=frozenset({IPv4Address("10.99.0.10")}),
        recent=frozenset(
            {Leak("tcp", "10.99.0.99:54130", "10.99.0.1:993"), Leak("udp", "[fd99::99]:4711", "[fd99::1]:99")}
        ),
    )


@pytest.mark.parametrize("missing", ["output", "judge", "leak"])
def test_a_table_whose_rules_were_flushed_counts_nothing_and_is_no_zero(missing: str) -> None:
    chains = tuple(chain for chain in ("output", "judge", "leak") if chain != missing)
    assert read_listing(listing(chains=chains)) == GuardState(GuardMode.NOT_APPLIED)


@pytest.mark.parametrize(
    ("text", "network", "port"),
    [
        ("192.0.2.7", "192.0.2.7/32", None),
        ("192.0.2.7/24", "192.0.2.0/24", None),
        ("192.0.2.7:443", "192.0.2.7/32", 443),
        ("192.0.2.0/24:443", "192.0.2.0/24", 443),
        ("2001:db8::7", "2001:db8::7/128", None),
        ("2001:db8::/32", "2001:db8::/32", None),
        ("[2001:db8::/32]:443", "2001:db8::/32", 443),
    ],
)
def test_openings_are_read_as_they_are_written(text: str, network: str, port: int | None) -> None:
    assert read_opening(text) == Opening(ip_network(network), port, "allowed")


@pytest.mark.parametrize(
    "text",
    ["", "bucket.test", "192.0.2.7:", "192.0.2.7:0", "192.0.2.7:65536", "192.0.2.7:443 accept", "192.0.2.0/33",
     "fe80::1%eth0", "[192.0.2.7", "1.2.3.4; flush ruleset", "192.0.2.7:४४३"],
)  # fmt: skip
def test_what_is_no_opening_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_opening(text)


def pool(*sources: SourceConfig) -> PoolConfig:
    return PoolConfig(STATIC, sources)


def bound(address: str, local: str) -> SourceConfig:
    return SourceConfig(address, ip_address(address), Via(Carrier.BIND, local=ip_address(local)))


def proxied(host: str, port: int) -> SourceConfig:
    via = Via(Carrier.SOCKS5, host=host, port=port, username="user", password="secret")
    return SourceConfig("gate\nadd rule", ip_address("203.0.113.5"), via)


async def test_the_guard_of_pools_admits_what_is_bound_and_opens_the_way_to_proxies_and_database() -> None:
    pools = [pool(bound("203.0.113.4", "10.0.0.4"), proxied("10.0.0.9", 1080)), pool(bound("203.0.113.4", "10.0.0.4"))]
    url = "postgresql://user:secret@10.0.0.8:5433/mooring"
    extra = Opening(ip_network("10.7.0.0/16"), None, "allowed")
    found = await guard_of(pools, url, uid=1001, user="mooring", allowed=[extra], drop=True)
    assert found.sources == (ip_address("10.0.0.4"),)
    assert found.openings == (
        Opening(ip_network("10.0.0.9"), 1080, "proxy"),
        Opening(ip_network("10.0.0.8"), 5433, "database"),
        extra,
    )
    rules = ruleset(found)
    assert "secret" not in rules
    assert "gate" not in rules


async def test_without_a_source_to_bind_the_proxies_are_the_only_way() -> None:
    found = await guard_of([pool(proxied("10.0.0.9", 1080))], "", uid=1001, user="m", allowed=[], drop=False)
    assert found.sources == ()
    assert "add element" not in ruleset(found)


async def test_without_a_pool_there_is_nothing_to_guard() -> None:
    with pytest.raises(ConfigError, match="no pool is declared"):
        await guard_of([], "", uid=1001, user="mooring", allowed=[], drop=False)


class Time(SystemClock):
    """A clock that a test moves."""

    at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


STATE = GuardState(GuardMode.DROPPING, leaks=2, sources=frozenset({ip_address("192.0.2.7"), ip_address("::2")}))


def test_what_a_watch_tells_is_believed_for_some_seconds(tmp_path: Path) -> None:
    clock = Time()
    file = GuardFile(1001, clock, tmp_path)
    file.write(STATE)
    clock.at += timedelta(seconds=9)
    assert file.read() == STATE
    clock.at += timedelta(seconds=2)
    assert file.read() == GuardState(GuardMode.SILENT)
    file.write(GuardState(GuardMode.NOT_APPLIED))
    assert file.read() == GuardState(GuardMode.NOT_APPLIED)


def test_without_a_watch_there_is_no_number(tmp_path: Path) -> None:
    file = GuardFile(1001, Time(), tmp_path / "mooring")
    assert file.read() == GuardState(GuardMode.UNWATCHED)
    GuardFile(1002, Time(), tmp_path / "mooring").write(STATE)
    assert file.read() == GuardState(GuardMode.UNWATCHED)
    file.write(STATE)
    file.remove()
    file.remove()
    assert file.read() == GuardState(GuardMode.UNWATCHED)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": "2026-01-01T00:00:00Z", "mode": "asleep", "leaks": 0}'])
def test_a_file_that_cannot_be_read_is_no_number(tmp_path: Path, text: str) -> None:
    (tmp_path / "guard-1001.json").write_text(text)
    assert GuardFile(1001, Time(), tmp_path).read() == GuardState(GuardMode.SILENT)


def test_others_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        GuardFile(1001, Time(), tmp_path / "mooring").write(STATE)
    finally:
        os.umask(before)
    assert (tmp_path / "mooring").stat().st_mode & 0o777 == 0o755
    [file] = (tmp_path / "mooring").iterdir()
    assert file.stat().st_mode & 0o777 == 0o644
