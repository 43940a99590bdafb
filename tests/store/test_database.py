"""The pool, transactions, JSON, notifications, and what a lost server looks like."""

# ruff: noqa: ASYNC110 (other processes set no events, and these are the files they leave)

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import msgspec
import pytest
from asyncpg.exceptions import InternalClientError

from mooring.errors import ConfigError
from mooring.store import Database, DatabaseUrl, EmbeddedPostgres, StoreUnavailable
from mooring.store.database import check_version
from tests.postgres import run_on, url_of


async def test_transaction_commits_and_rolls_back(database: Database) -> None:
    await database.execute("CREATE TABLE t (n int)")
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(RuntimeError, match="changed my mind"):  # noqa: PT012 (the block is the transaction)
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (2)")
            raise RuntimeError("changed my mind")
    assert [row["n"] for row in await database.fetch("SELECT n FROM t")] == [1]


async def test_jsonb_goes_in_and_out_as_values_by_insert_and_by_copy(database: Database) -> None:
    value = {"subject": 'ü "quoted" \\ \n', "list": [1, None, True, 1.5], "deep": {"a": []}}
    await database.execute("CREATE TABLE t (n int, j jsonb)")
    await database.execute("INSERT INTO t VALUES (1, $1)", value)
    async with database.transaction() as tx:
        await tx.copy_records_to_table("t", records=[(2, value)], columns=["n", "j"])
    assert [row["j"] for row in await database.fetch("SELECT j FROM t ORDER BY n")] == [value, value]


async def test_jsonb_takes_what_is_encoded_already(database: Database) -> None:
    assert await database.fetchval("SELECT $1::jsonb", msgspec.Raw(b'{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ("\0\0", "\ufffd\ufffd"),
        ("\\u0000", "\\u0000"),
        ("\\\0", "\\\ufffd"),
        ("\\\\u0000\0", "\\\\u0000\ufffd"),
    ],
)
async def test_a_nul_in_json_is_replaced_and_text_about_one_is_not(database: Database, given: str, stored: str) -> None:
    assert await database.fetchval("SELECT $1::jsonb", {"v": given}) == {"v": stored}
    assert await database.fetchval("SELECT $1::json", {"v": given}) == {"v": stored}


async def test_errors_of_sql_pass_unchanged(database: Database) -> None:
    await database.execute("CREATE TABLE t (n int PRIMARY KEY)")
    await database.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(asyncpg.InterfaceError):
        await database.execute("INSERT INTO t VALUES ($1)", 1, 2)


async def test_a_connection_comes_back_out_of_a_broken_transaction(database_url: str) -> None:
    database = await Database.open(database_url, max_size=1)
    async with database.connection() as connection:
        await connection.execute("BEGIN")
    assert await database.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
    async with database.connection() as connection:
        assert not connection.is_in_transaction()
    await database.close()


async def test_a_lost_connection_is_store_unavailable_and_the_next_one_works(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        async with database.transaction() as tx:
            await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await database.fetchval("SELECT 1") == 1


async def test_notifications_arrive_in_order_from_several_channels(database: Database) -> None:
    async with database.listen("one", "two") as notifications:
        await database.execute("SELECT pg_notify('one', 'a'), pg_notify('two', 'b')")
        first, second = await anext(notifications), await anext(notifications)
    assert [(n.channel, n.payload) for n in (first, second)] == [("one", "a"), ("two", "b")]


async def test_a_lost_listener_says_so(database: Database) -> None:
    async with database.listen("one") as notifications:
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
        )
        with pytest.raises(StoreUnavailable):
            await anext(notifications)


async def test_a_closed_database_is_unavailable(database_url: str) -> None:
    database = await Database.open(database_url)
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.fetchval("SELECT 1")


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await Database.open(f"postgresql://u:topsecret@/d?host={tmp_path}")


@pytest.mark.parametrize("url", ["mysql://u:topsecret@h/d", "postgresql://u:topsecret@h:port/d", ""])
async def test_a_bad_url_is_a_config_error_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await Database.open(url)
    assert "topsecret" not in repr(caught.value) + str(caught.value) + str(caught.value.__cause__)


async def test_a_wrong_password_and_a_missing_database_are_config_errors(postgres_server: str) -> None:
    with pytest.raises(ConfigError, match="no such database"):
        await Database.open(url_of(postgres_server, "nowhere"))
    head, _, tail = postgres_server.partition("@")
    with pytest.raises(ConfigError, match="refuses us"):
        await Database.open(f"{head.rpartition(':')[0]}:wrong@{tail}")


def test_an_old_server_is_refused() -> None:
    check_version(150000)
    with pytest.raises(ConfigError, match=r"PostgreSQL 14; Mooring needs 15 or newer"):
        check_version(140018)


def test_a_url_does_not_show_its_password() -> None:
    assert "topsecret" not in repr(DatabaseUrl("postgresql://u:topsecret@h/d"))


async def test_a_server_that_stops_under_a_query_is_unavailable_and_comes_back(data: Path) -> None:
    server = EmbeddedPostgres(data)
    url = await server.start()
    database = await Database.open(url)
    postmaster = int((data / "postgres/postmaster.pid").read_text().splitlines()[0])
    query = asyncio.ensure_future(database.execute("SELECT pg_sleep(60)"))
    while not await _is_asleep(url):
        await asyncio.sleep(0)
    os.kill(postmaster, signal.SIGINT)
    with pytest.raises(StoreUnavailable):
        await query
    await server.stop()
    await server.start()
    assert await database.fetchval("SELECT 1") == 1
    await database.close()
    await server.stop()


async def _is_asleep(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1
    finally:
        await connection.close()


async def test_run_on_leaves_no_connection_behind(database_url: str, database: Database) -> None:
    await run_on(database_url, "SET application_name = 'passing by'")
    assert await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'passing by'") == 0


async def test_a_connection_that_is_dying_in_a_transaction_is_unavailable(database: Database) -> None:
    """A moment in which asyncpg knows that nothing works and not why: a rollback then fails in other words."""
    with pytest.raises(StoreUnavailable):
        await dying(database)
    assert await database.fetchval("SELECT 1") == 1


async def dying(database: Database) -> None:
    """A transaction on a connection that is busy, and of which asyncpg says what it says then."""
    async with database.transaction() as tx:
        busy = asyncio.create_task(tx.execute("SELECT pg_sleep(30)"))
        busy.add_done_callback(asyncio.Task.exception)
        await asyncio.sleep(0)
        raise InternalClientError("cannot switch to state 21; another operation (2) is in progress")
