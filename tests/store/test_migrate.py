"""The chain of migrations."""

import asyncio
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import mooring.store.migrations
from mooring.errors import ConfigError
from mooring.store import Database, migrate
from mooring.store.migrations import forward_only
from tests.postgres import run_on, url_of
from tests.store.calendar_grants import make_grant

FOLDER = Path(mooring.store.migrations.__file__).parent


@pytest.fixture
async def empty_url(postgres_server: str) -> str:
    """The URL of a database without any migration."""
    await run_on(postgres_server, "DROP DATABASE IF EXISTS empty WITH (FORCE)", "CREATE DATABASE empty")
    return url_of(postgres_server, "empty")


def test_the_chain_is_one_line_and_every_link_has_its_sql() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    scripts = ScriptDirectory.from_config(config)
    assert len(scripts.get_heads()) == 1
    for revision in scripts.walk_revisions():
        file = Path(revision.path)
        assert file.name.startswith(f"{revision.revision}_")
        assert file.with_suffix(".sql").is_file()


async def test_an_empty_database_gets_everything_and_the_second_time_nothing(empty_url: str) -> None:
    head = await migrate(empty_url)
    database = await Database.open(empty_url)
    before = await database.fetchval("SELECT xmin FROM alembic_version")
    assert await migrate(empty_url) == head
    assert await database.fetchval("SELECT xmin FROM alembic_version") == before
    assert await database.fetchval("SELECT version_num FROM alembic_version") == head
    await database.close()


async def test_many_at_once_migrate_once(empty_url: str) -> None:
    assert len(set(await asyncio.gather(*(migrate(empty_url) for _ in range(4))))) == 1


async def test_a_newer_database_is_refused(database_url: str) -> None:
    await run_on(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="9999"):
        await migrate(database_url)


async def test_sql_is_run_as_written_in_one_transaction(empty_url: str, tmp_path: Path) -> None:
    """Several statements, a function body with semicolons, colons, percents, tabs; a later failure undoes them all."""
    _write_chain(
        tmp_path,
        "CREATE TABLE t (v text DEFAULT ':name %s %% \t x');\n"
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END $$;\n"
        "INSERT INTO t DEFAULT VALUES;\n",
    )
    await migrate(empty_url, scripts=tmp_path)
    database = await Database.open(empty_url)
    assert await database.fetchval("SELECT v FROM t") == ":name %s %% \t x"
    assert await database.fetchval("SELECT f()") == 2
    await run_on(empty_url, "DROP TABLE t, alembic_version", "DROP FUNCTION f")

    _write_chain(tmp_path, "CREATE TABLE t (v text);\nSELECT 1 / 0;\n")
    with pytest.raises(Exception, match="division by zero"):
        await migrate(empty_url, scripts=tmp_path)
    assert await database.fetchval("SELECT to_regclass('t')") is None
    assert await database.fetchval("SELECT to_regclass('alembic_version')") is None
    await database.close()


async def test_folders_that_were_read_before_0002_were_read_from_where_their_grant_leads(
    empty_url: str, tmp_path: Path
) -> None:
    _write_chain(tmp_path, (FOLDER / "versions/0001_ground.sql").read_text())
    assert await migrate(empty_url, scripts=tmp_path) == "0001"
    database = await Database.open(empty_url)
    grant, _ = await make_grant(database, tmp_path)
    await database.execute("INSERT INTO folders (grant_id, id, path, wire_name) VALUES ($1, 'new', 'N', 'N')", grant.id)
    await database.execute(
        "INSERT INTO folders (grant_id, id, path, wire_name, uid_validity) VALUES ($1, 'read', 'R', 'R', 7)", grant.id
    )
    await migrate(empty_url)
    rows = await database.fetch("SELECT id, origin FROM folders ORDER BY id")
    assert [tuple(row) for row in rows] == [("new", None), ("read", grant.settings.imap.mailbox)]
    await database.close()


def test_there_is_no_way_back() -> None:
    with pytest.raises(ConfigError):
        forward_only()


def _write_chain(folder: Path, sql: str) -> None:
    """A chain of one migration, with the real environment."""
    versions = folder / "versions"
    versions.mkdir(exist_ok=True)
    (folder / "env.py").write_text((FOLDER / "env.py").read_text())
    (versions / "0001_ground.py").write_text((FOLDER / "versions/0001_ground.py").read_text())
    (versions / "0001_ground.sql").write_text(sql)
