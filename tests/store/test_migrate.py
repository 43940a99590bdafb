"""The chain of migrations."""

import asyncio
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import mooring.store.migrations
from mooring.errors import ConfigError, LostOwnership
from mooring.mail.writer import pack_key
from mooring.store import Database, migrate
from mooring.store.migrations import forward_only
from tests.postgres import run_on, url_of
from tests.store.calendar_grants import claim, make_grant
from tests.store.held import Held, held_by, held_mailbox
from tests.store.mailboxes import mail

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


async def test_mail_that_was_stored_before_0006_is_copied_again_and_nobody_is_told(
    empty_url: str, tmp_path: Path
) -> None:
    assert await migrate(empty_url, scripts=_chain_up_to("0005", tmp_path / "chain")) == "0005"
    database = await Database.open(empty_url)
    held = await _mailbox_of_0005(database, tmp_path)
    stored, archive = held.stored, await held.stored.folder("Archive")

    await migrate(empty_url)
    for table in ("messages", "placements", "packs", "passed_over"):
        assert await stored.count(table) == 0
    assert "snippet" not in await _columns(database, "messages")
    now = await stored.folder("Archive")
    assert now == replace(
        archive, uid_validity=None, uid_next=None, highest_modseq=None,
        fetched_at=None, complete_at=None, synced_at=None,
    )  # fmt: skip
    with pytest.raises(LostOwnership):
        await stored.writer.mark(archive, uid_next=None, highest_modseq=None, complete=True)

    again = replace(stored, lease=await claim(database, stored.grant))
    held = replace(held, sync=held_mailbox(again, held.sessions), since=datetime.now(UTC))
    async with held.running():
        assert sorted(await stored.subjects()) == sorted(map(str, (10, 11, 12, 20, 21, 22, 30, 31, 32, 40)))
    found = await stored.find(_OLD)
    assert found is not None
    assert (found.thread_id, found.snippet) == ("the thread of before", "text 40")
    assert (await stored.facts(), await stored.health()) == ([], [])
    assert await stored.packs() == {row["id"] for row in await database.fetch("SELECT id FROM packs")}
    assert "of-before" not in await stored.packs()
    await database.close()


@pytest.mark.parametrize(
    ("told", "error", "status", "is_told"),
    [
        (["sync.failed"], None, "valid", True),
        (["sync.failed", "sync.recovered", "grant.expired"], {}, "invalid", False),
        (["sync.recovered", "sync.failed", "grant.expired"], {}, "invalid", True),
        ([], {}, "valid", True),
        ([], {}, "invalid", False),
        ([], None, "valid", False),
    ],
)
async def test_a_failure_that_was_told_before_0008_is_known_to_be(
    empty_url: str, tmp_path: Path, told: list[str], error: dict[str, str] | None, status: str, is_told: bool
) -> None:
    assert await migrate(empty_url, scripts=_chain_up_to("0007", tmp_path / "chain")) == "0007"
    database = await Database.open(empty_url)
    grant, _ = await make_grant(database, tmp_path)
    await database.execute("UPDATE grants SET sync_error = $1, status = $2", error, status)
    for sequence, event in enumerate(told):
        await database.execute(
            "INSERT INTO outbox (grant_id, sequence, application_id, type, data) VALUES ($1, $2, $3, $4, '{}')",
            grant.id, sequence, grant.application_id, event,
        )  # fmt: skip
    await migrate(empty_url)
    assert await database.fetchval("SELECT failure_told FROM grants") == is_told
    await database.close()


def test_there_is_no_way_back() -> None:
    with pytest.raises(ConfigError):
        forward_only()


_OLD = mail(40, headers="Message-ID: <40@x>\r\n")


async def _mailbox_of_0005(database: Database, tmp_path: Path) -> Held:
    """A mailbox of ten messages, of which one is stored and one was passed over, as 0005 had them."""
    held = await held_by(database, tmp_path)
    stored = held.stored
    held.account.boxes["Archive"].deliver(_OLD)
    await stored.folders("INBOX", "Archive", "Odd")
    await stored.objects.put(pack_key("g", "of-before"), b"sealed")
    await database.execute("INSERT INTO packs (grant_id, id, bytes) VALUES ('g', 'of-before', 6)")
    await database.execute("INSERT INTO thread_links VALUES ('g', '40@x', 'the thread of before')")
    await database.execute(
        """INSERT INTO messages (grant_id, id, thread_id, message_id_header, date, subject, snippet, body, size, pack,
                                 pack_offset, pack_length, folders, unread, starred, created_at)
           VALUES ('g', $1, 'the thread of before', '40@x', 1, 'mail 40', 'text 40', $2, 1, 'of-before', 0, 6,
                   ARRAY[$3], true, false, 1)""",
        stored.id_of(_OLD), stored.key.pack(b'"text 40"', b"body:" + stored.id_of(_OLD).encode()),
        stored.place("Archive"),
    )  # fmt: skip
    await database.execute(
        "INSERT INTO placements (grant_id, folder_id, uid, message_id, date) VALUES ('g', $1, 4, $2, 1)",
        stored.place("Archive"), stored.id_of(_OLD),
    )  # fmt: skip
    await database.execute(
        """INSERT INTO passed_over (grant_id, folder_id, uid, reason, is_news, again_at)
           VALUES ('g', $1, 1, 'refused', true, 'infinity')""",
        stored.place("INBOX"),
    )
    await database.execute(
        """UPDATE folders SET uid_validity = 1, origin = $1, uid_next = 5, highest_modseq = 9, fetched_at = now(),
               complete_at = now(), synced_at = now()""",
        stored.writer.origin,
    )
    await database.execute("UPDATE grants SET synced_at = now()")
    return held


async def _columns(database: Database, table: str) -> set[str]:
    rows = await database.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", table)
    return {row["column_name"] for row in rows}


def _chain_up_to(revision: str, folder: Path) -> Path:
    """The real chain, as it was when this revision was the newest."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (folder / "versions").iterdir():
        if file.name[:4] > revision:
            file.unlink()
    return folder


def _write_chain(folder: Path, sql: str) -> None:
    """A chain of one migration, with the real environment."""
    versions = folder / "versions"
    versions.mkdir(exist_ok=True)
    (folder / "env.py").write_text((FOLDER / "env.py").read_text())
    (versions / "0001_ground.py").write_text((FOLDER / "versions/0001_ground.py").read_text())
    (versions / "0001_ground.sql").write_text(sql)
