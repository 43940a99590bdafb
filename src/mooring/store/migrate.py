"""Bring a database to the shape that this version of Mooring expects."""

import io
from pathlib import Path

import asyncpg

from mooring.errors import ConfigError
from mooring.store.database import Database

# Any number that nobody else takes an advisory lock on: "mooring" in ASCII, as a bigint.
_LOCK = int.from_bytes(b"mooring", "big")
_SCRIPTS = Path(__file__).with_name("migrations")


async def migrate(dsn: str, *, scripts: Path = _SCRIPTS) -> str:
    """Run every migration that the database lacks, in one transaction: all of them, or none.

    Any number of processes may do so at once; the first does the work, and the others wait for it.

    Args:
        scripts: the folder of the chain.

    Returns: the revision that the database has now.

    Raises:
        ConfigError: a newer Mooring has been here before.
        StoreUnavailable: the database cannot be reached, or was lost; then nothing was changed.
    """
    database = await Database.open(dsn, max_size=1)
    try:
        async with database.transaction() as tx:
            await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            # The migrations of a large database may take as long as they take.
            await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            current = await _current(tx)
            head, script = _script_from(current, scripts)
            if current != head:
                await tx.execute(script)
            return head
    finally:
        await database.close()


async def _current(tx: asyncpg.Connection) -> str | None:
    if await tx.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    return await tx.fetchval("SELECT version_num FROM alembic_version")


def _script_from(current: str | None, folder: Path) -> tuple[str, str]:
    """The newest revision, and the SQL that leads to it from this one."""
    # Here, since it takes 0.4 s, and most commands never migrate.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    sql = io.StringIO()
    config = Config(output_buffer=sql)
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    try:
        scripts = ScriptDirectory.from_config(config)
        head = scripts.get_current_head()
        if head is None:
            raise ConfigError(f"{folder} holds no migrations", hint="Install Mooring again.")
        if current is not None:
            scripts.get_revision(current)
        if current != head:
            command.upgrade(config, f"{current or 'base'}:{head}", sql=True)
    except CommandError as e:
        raise ConfigError(
            f"the database is at revision {current}, which this version of Mooring does not know: {e}",
            hint="A newer Mooring has migrated it; install that version again.",
        ) from e
    return head, sql.getvalue()
