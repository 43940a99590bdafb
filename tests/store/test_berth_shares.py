"""Processes that know of each other by the database: what each has of the berths, from its coming to its end."""

from datetime import timedelta
from ipaddress import ip_address

from mooring.config import Carrier, EnvironmentName, Generation, Kind, PoolConfig, SourceConfig, Via
from mooring.egress import Berths, Part, Shares, berth_counts
from mooring.errors import SourceBusy
from mooring.store import Database
from tests.waiting import until_async

POOL = PoolConfig(
    EnvironmentName(Generation.V3, "us", Kind.STATIC),
    (SourceConfig("static-1", ip_address("203.0.113.1"), Via(Carrier.BIND)),),
)
QUICK, SLOW = timedelta(seconds=0.5), timedelta(minutes=5)


def shares(
    database: Database, berths: Berths, part: Part = Part.SYNC, *, lease: timedelta = QUICK, environment: str = ""
) -> Shares:
    return Shares(
        database, berths, connections=20, pools=(POOL,), part=part,
        environments=[environment] if environment else None, lease=lease,
    )  # fmt: skip


async def free(berths: Berths) -> int:
    """How many berths there are for a new server."""
    held = []
    while True:
        try:
            held.append(await berths.take("static-1", "new.test", patience_s=0))
        except SourceBusy:
            break
    for berth in held:
        berth.give_back()
    return len(held)


async def has(berths: Berths, expected: int) -> None:
    async def is_so() -> bool:
        return await free(berths) == expected

    await until_async(is_so, what=f"the share is {expected}")


async def test_who_is_alone_has_the_whole_part_at_once(database: Database) -> None:
    worker, api = Berths(0), Berths(0)
    async with shares(database, worker).held(), shares(database, api, Part.PEOPLE).held():
        assert (await free(worker), await free(api)) == (16, 4)


async def test_who_comes_takes_nothing_until_the_others_have_seen_it(database: Database) -> None:
    first, second, api, another = Berths(0), Berths(0), Berths(0), Berths(0)
    async with shares(database, first).held(), shares(database, api, Part.PEOPLE).held():
        async with shares(database, second, lease=SLOW).held():
            assert await free(second) == 0
        async with shares(database, another, Part.PEOPLE, lease=SLOW).held():
            assert await free(another) == 1
        async with shares(database, second).held():
            await has(second, 8)
            assert await free(first) == 8
        await has(first, 16)


async def test_who_leaves_by_another_environment_takes_nothing_away(database: Database) -> None:
    first, other = Berths(0), Berths(0)
    async with (
        shares(database, first, lease=SLOW).held(),
        shares(database, other, environment="v3-us-dynamic", lease=SLOW).held(),
        shares(database, second := Berths(0), environment="v3-us-dynamic", lease=SLOW).held(),
    ):
        assert await free(first) == 16
        assert await free(second) == 0


async def test_who_dies_is_no_longer_counted(database: Database) -> None:
    await database.execute(
        """INSERT INTO berth_shares (process, part, counts, expires_at)
           VALUES ('dead', 'sync', '{"static-1": [7, 7]}', now()),
                  ('long dead', 'sync', '{}', now() - interval '2 hours')"""
    )
    worker = Berths(0)
    async with shares(database, worker).held():
        assert await free(worker) == 16
        assert await berth_counts(database) == {}
    assert await database.fetchval("SELECT array_agg(process) FROM berth_shares") == ["dead"]


async def test_what_all_processes_use_is_told(database: Database) -> None:
    worker, api = Berths(0), Berths(0)
    async with shares(database, worker).held(), shares(database, api, Part.PEOPLE).held():
        for berths, taken in ((worker, 3), (api, 2)):
            for _ in range(taken):
                await berths.take("static-1", "mail.test", patience_s=0)

        async def is_told() -> bool:
            return await berth_counts(database) == {"static-1": (5, 0)}

        await until_async(is_told, what="both are counted")
