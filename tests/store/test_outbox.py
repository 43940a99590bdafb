"""Facts: numbered without a gap for each grant, in the transaction that makes them true."""

import asyncio

import pytest

from mooring.events import EventType, Fact, append
from mooring.store import Connection, Database


def facts(count: int, name: str = "") -> list[Fact]:
    return [Fact(EventType.MESSAGE_CREATED, {"id": f"{name}{n}"}) for n in range(count)]


async def add(tx: Connection, grant: str, count: int, name: str = "") -> None:
    await append(tx, application_id="application", grant_id=grant, facts=facts(count, name))


async def sequences(database: Database, grant: str) -> list[int]:
    rows = await database.fetch("SELECT sequence FROM outbox WHERE grant_id = $1 ORDER BY sequence", grant)
    return [row["sequence"] for row in rows]


async def test_facts_are_kept_in_their_order_with_what_they_say(database: Database) -> None:
    async with database.transaction() as tx:
        await add(tx, "grant", 3)
    rows = await database.fetch("SELECT sequence, application_id, type, data FROM outbox ORDER BY sequence")
    assert [tuple(row) for row in rows] == [(n + 1, "application", "message.created", {"id": str(n)}) for n in range(3)]


async def test_no_facts_are_no_row(database: Database) -> None:
    async with database.transaction() as tx:
        await add(tx, "grant", 0)
    assert await database.fetchval("SELECT count(*) FROM outbox_sequences") == 0


async def test_numbers_have_no_gap_under_concurrency_and_rollback(database: Database) -> None:
    async def work(number: int) -> None:
        async with database.transaction() as tx:
            await add(tx, "grant", number % 3 + 1)
            await asyncio.sleep(0)
            if number % 4 == 0:
                raise RuntimeError("changed my mind")

    results = await asyncio.gather(*(work(number) for number in range(40)), return_exceptions=True)
    kept = sum(number % 3 + 1 for number in range(40) if number % 4)
    assert sum(isinstance(result, RuntimeError) for result in results) == 10
    assert await sequences(database, "grant") == list(range(1, kept + 1))


async def test_a_number_is_visible_only_after_all_smaller_ones(database: Database) -> None:
    first_wrote, go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with database.transaction() as tx:
            await add(tx, "grant", 1, "first")
            first_wrote.set()
            await go.wait()

    async def second() -> None:
        await first_wrote.wait()
        async with database.transaction() as tx:
            await add(tx, "grant", 1, "second")

    tasks = [asyncio.create_task(first()), asyncio.create_task(second())]
    await first_wrote.wait()
    assert await sequences(database, "grant") == []
    go.set()
    await asyncio.gather(*tasks)
    rows = await database.fetch("SELECT data FROM outbox ORDER BY sequence")
    assert [row["data"]["id"] for row in rows] == ["first0", "second0"]


async def test_grants_do_not_wait_for_each_other(database: Database) -> None:
    async with database.transaction() as one, database.transaction() as other:
        await add(one, "a", 2)
        async with asyncio.timeout(5):
            await add(other, "b", 2)
    assert (await sequences(database, "a"), await sequences(database, "b")) == ([1, 2], [1, 2])


async def test_what_was_rolled_back_never_happened(database: Database) -> None:
    with pytest.raises(RuntimeError, match="changed"):  # noqa: PT012 (the block is the transaction)
        async with database.transaction() as tx:
            await add(tx, "grant", 5)
            raise RuntimeError("changed my mind")
    async with database.transaction() as tx:
        await add(tx, "grant", 1)
    assert await sequences(database, "grant") == [1]
