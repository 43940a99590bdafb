"""What would only grow is taken away in time: in small commits, by any number of workers, and not an hour too early."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

import mooring.store.migrations
from mooring.egress import forget_sources
from mooring.egress.repository import assign_source, assigned_source
from mooring.grants import Grant, forget_codes
from mooring.jobs import forget_dead
from mooring.store import Database, StoreUnavailable, in_batches, migrate
from mooring.store.batches import BATCH
from mooring.worker.housekeeping import Chore, keep_house
from tests.postgres import run_on, url_of
from tests.store.grant_house import House, open_house
from tests.waiting import until_async

MONTH = timedelta(days=30)
ENVIRONMENT = "v3-us-static"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await open_house(database, tmp_path)


async def count(database: Database, table: str) -> int:
    return await database.fetchval(f"SELECT count(*) FROM {table}")


async def released(house: House, grant: Grant, ago: timedelta) -> None:
    """The grant was deleted so long ago."""
    await house.grants.delete(house.application, grant.id)
    await house.db.execute("UPDATE assignments SET released_at = released_at - $1::interval", ago)


async def source_of(house: House, grant: Grant) -> str | None:
    return await assigned_source(house.db, grant.subject, ENVIRONMENT, 4)


async def test_many_rows_go_in_commits_of_a_few(database: Database) -> None:
    await database.execute("CREATE TABLE heap AS SELECT n, 0 AS commit FROM generate_series(1, 25) n")
    statement = """UPDATE heap SET commit = txid_current()
                   WHERE n IN (SELECT n FROM heap WHERE commit = 0 LIMIT $1 FOR UPDATE SKIP LOCKED)"""
    assert await in_batches(database, statement, batch=10) == 25
    rows = await database.fetch("SELECT count(*) AS size FROM heap GROUP BY commit ORDER BY size")
    assert [row["size"] for row in rows] == [5, 10, 10]
    assert await in_batches(database, statement, batch=10) == 0


async def test_codes_that_nobody_came_for_are_forgotten(house: House) -> None:
    grant, _ = await house.connect()
    code = await house.tokens.issue_code(grant)
    await house.db.execute(
        """INSERT INTO authorization_codes
           SELECT sha256(n::text::bytea), $1, $2, now() - interval '1 second' FROM generate_series(1, $3) n""",
        house.application.id, grant.id, 2 * BATCH + 1,
    )  # fmt: skip
    await asyncio.gather(*(forget_codes(house.db) for _ in range(4)))
    assert await count(house.db, "authorization_codes") == 1
    assert (await house.tokens.redeem_code(house.application, code)).id == grant.id


async def test_holders_that_died_long_ago_are_forgotten(database: Database) -> None:
    await database.execute("INSERT INTO holders VALUES ('ancient', now() - interval '2 hours'), ('late', now())")
    await database.execute(
        "INSERT INTO holders SELECT n, now() - interval '1 day' FROM generate_series(1, $1) n", BATCH
    )
    await asyncio.gather(*(forget_dead(database) for _ in range(4)))
    assert [row["id"] for row in await database.fetch("SELECT id FROM holders")] == ["late"]


async def test_a_source_is_kept_for_as_long_as_its_grant_is_there(house: House) -> None:
    grant, _ = await house.connect()
    await assign_source(house.db, grant.subject, ENVIRONMENT, 4, "s1")
    await house.db.execute("UPDATE assignments SET assigned_at = now() - interval '10 years'")
    await forget_sources(house.db, kept=MONTH)
    assert await source_of(house, grant) == "s1"


async def test_an_account_that_comes_back_in_time_finds_its_source_and_keeps_it(house: House) -> None:
    grant, _ = await house.connect()
    await assign_source(house.db, grant.subject, ENVIRONMENT, 4, "s1")
    await released(house, grant, MONTH - timedelta(hours=1))
    await forget_sources(house.db, kept=MONTH)
    again, created = await house.connect()
    assert (created, again.subject) == (True, grant.subject)
    await house.db.execute("UPDATE assignments SET released_at = released_at - interval '1 year'")
    await forget_sources(house.db, kept=MONTH)
    assert await source_of(house, again) == "s1"


async def test_a_source_whose_grant_is_long_gone_is_forgotten(house: House) -> None:
    grant, _ = await house.connect()
    other, _ = await house.connect(email="bob@example.test")
    for subject in (grant.subject, other.subject):
        await assign_source(house.db, subject, ENVIRONMENT, 4, "s1")
    await released(house, grant, MONTH + timedelta(hours=1))
    await asyncio.gather(*(forget_sources(house.db, kept=MONTH) for _ in range(4)))
    assert await source_of(house, grant) is None
    assert await source_of(house, other) == "s1"


async def test_sources_of_accounts_that_were_gone_before_are_released_with_the_migration(
    postgres_server: str, tmp_path: Path
) -> None:
    real = Path(mooring.store.migrations.__file__).parent
    (tmp_path / "versions").mkdir()
    for name in ("env.py", "versions/0001_ground.py", "versions/0001_ground.sql"):
        (tmp_path / name).write_bytes((real / name).read_bytes())
    await run_on(postgres_server, "DROP DATABASE IF EXISTS older WITH (FORCE)", "CREATE DATABASE older")
    url = url_of(postgres_server, "older")
    await migrate(url, scripts=tmp_path)
    await run_on(url, "INSERT INTO assignments VALUES ('gone', 'v3-us-static', 4, 's1')")
    await migrate(url)
    database = await Database.open(url)
    await forget_sources(database, kept=MONTH)
    assert await count(database, "assignments") == 1
    await forget_sources(database, kept=timedelta(0))
    assert await count(database, "assignments") == 0
    await database.close()


@asynccontextmanager
async def keeping(*chores: Chore, every_s: float = 0.0) -> AsyncGenerator[None]:
    task = asyncio.create_task(keep_house(chores, every_s=every_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_cannot_be_done_holds_up_no_other_and_is_tried_again() -> None:
    done: list[str] = []

    def chore(name: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            done.append(name)
            if error is not None:
                raise error

        return do

    async def two_rounds() -> bool:
        return len(done) >= 6

    broken, away = chore("broken", ZeroDivisionError()), chore("away", StoreUnavailable("the database is away"))
    async with keeping(("broken", broken), ("away", away), ("good", chore("good"))):
        await until_async(two_rounds, what="two rounds are done")
    assert done[:6] == ["broken", "away", "good"] * 2


async def test_a_worker_does_all_of_it(house: House, database_url: str, tmp_path: Path) -> None:
    grant, _ = await house.connect()
    await assign_source(house.db, grant.subject, ENVIRONMENT, 4, "s1")
    await released(house, grant, timedelta(days=91))
    await run_on(
        database_url,
        "INSERT INTO holders VALUES ('ancient', now() - interval '2 hours')",
        "CREATE TABLE ledger_20200101 PARTITION OF ledger FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')",
    )
    alive, _ = await house.connect(email="bob@example.test")
    await run_on(
        database_url,
        "DELETE FROM leases",
        f"INSERT INTO authorization_codes VALUES ('\\x00', '{house.application.id}', '{alive.id}', now())",
        f"""INSERT INTO submissions (grant_id, id, request_hash, state, given_up_at, message_id, message_id_header,
                                     created_at)
            VALUES ('{alive.id}', 's', '', 'refused', now(), '', '', now() - interval '2 hours')""",
    )
    (tmp_path / "mooring.toml").write_text(f'[database]\nurl = "{database_url}"\n')
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mooring", "worker", cwd=tmp_path, start_new_session=True
    )
    try:

        async def is_tidy() -> bool:
            left = [await count(house.db, table) for table in ("assignments", "authorization_codes", "submissions")]
            left.append(await house.db.fetchval("SELECT count(*) FROM holders WHERE id = 'ancient'"))
            left.append(await house.db.fetchval("SELECT count(to_regclass('ledger_20200101'))"))
            return not any(left)

        await until_async(is_tidy, timeout_s=30, what="everything is taken away")
    finally:
        worker.terminate()
        assert await worker.wait() == 0
