"""The published lists: from the pools that dial, with a version that changes when the list does, and only then."""

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address

from mooring.allowlist import Allowlist
from mooring.applications import Application, StaticIps
from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.store import Database

STATIC = EnvironmentName(Generation.V3, "us", Kind.STATIC)
DYNAMIC = EnvironmentName(Generation.V3, "us", Kind.DYNAMIC)


def pool(environment: EnvironmentName, *addresses: str, weight: int = 1) -> PoolConfig:
    sources = [
        SourceConfig(f"{environment}-{n}", ip_address(a), Via(Carrier.HTTP, host="gateway", port=3128), weight)
        for n, a in enumerate(addresses)
    ]
    return PoolConfig(environment, tuple(sources))


async def published(database: Database, *pools: PoolConfig) -> Allowlist:
    """The lists as a process that starts with these pools publishes them."""
    lists = Allowlist(database, pools)
    await lists.publish()
    return lists


async def version(database: Database, *addresses: str) -> int:
    return (await published(database, pool(STATIC, *addresses))).list_of(STATIC).version


async def test_a_list_is_its_pools_addresses_in_order_each_once(database: Database) -> None:
    addresses = ("203.0.113.10", "2001:db8::1", "203.0.113.9", "203.0.113.10")
    (found,) = [(await published(database, pool(STATIC, *addresses))).list_of(STATIC)]
    assert found.ip_addresses == ["203.0.113.9", "203.0.113.10", "2001:db8::1"]
    assert [entry.family for entry in found.entries] == [4, 4, 6]
    assert (found.version, found.generation, found.region) == (1, "v3", "us")
    assert abs(found.updated_at - datetime.now(UTC).timestamp()) < 60


async def test_a_version_changes_when_the_list_does_and_only_then(database: Database) -> None:
    assert await version(database, "203.0.113.1", "203.0.113.2") == 1
    assert await version(database, "203.0.113.2", "203.0.113.1") == 1
    assert await version(database, "203.0.113.2", "203.0.113.1", "203.0.113.1") == 1
    assert await version(database, "203.0.113.1") == 2
    assert await version(database, "203.0.113.1", "203.0.113.2") == 3
    assert await version(database, "203.0.113.1", "203.0.113.2") == 3


async def test_an_unchanged_list_keeps_its_date_and_what_carries_it_does_not_show(database: Database) -> None:
    before = (await published(database, pool(STATIC, "203.0.113.1"))).list_of(STATIC)
    await database.execute("UPDATE address_lists SET published_at = to_timestamp(1700000000)")
    after = (await published(database, pool(STATIC, "203.0.113.1", weight=9))).list_of(STATIC)
    assert (after.version, after.updated_at) == (before.version, 1_700_000_000)
    assert "gateway" not in repr(after)


async def test_lists_are_versioned_each_by_itself_and_history_is_kept(database: Database) -> None:
    await published(database, pool(STATIC, "203.0.113.1"), pool(DYNAMIC, "203.0.113.2"))
    lists = await published(database, pool(STATIC, "203.0.113.3"), pool(DYNAMIC, "203.0.113.2"))
    assert (lists.list_of(STATIC).version, lists.list_of(DYNAMIC).version) == (2, 1)
    rows = await database.fetch("SELECT environment, version, addresses FROM address_lists ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [
        ("v3-us-dynamic", 1, ["203.0.113.2"]),
        ("v3-us-static", 1, ["203.0.113.1"]),
        ("v3-us-static", 2, ["203.0.113.3"]),
    ]


async def test_processes_that_start_at_once_publish_one_version(database: Database) -> None:
    lists = await asyncio.gather(*(published(database, pool(STATIC, "203.0.113.1")) for _ in range(8)))
    assert {found.list_of(STATIC).version for found in lists} == {1}
    assert await database.fetchval("SELECT count(*) FROM address_lists") == 1


async def test_an_application_is_shown_its_own_generation_and_region_only(database: Database) -> None:
    lists = await published(database, pool(STATIC, "203.0.113.1"), pool(DYNAMIC, "203.0.113.2"))

    def application(generation: Generation, region: str) -> Application:
        now = datetime(2026, 3, 1, tzinfo=UTC)
        return Application("id", "default", "app", generation, region, StaticIps.OFF, now, now)

    ours = application(Generation.V3, "us")
    assert lists.static_list(ours).ip_addresses == ["203.0.113.1"]
    assert lists.dynamic_list(ours).ip_addresses == ["203.0.113.2"]
    for other in (application(Generation.V2, "us"), application(Generation.V3, "eu")):
        for found in (lists.static_list(other), lists.dynamic_list(other)):
            assert (found.version, found.updated_at, found.ip_addresses) == (0, 0, [])
