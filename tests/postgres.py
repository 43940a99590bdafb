"""Fixtures of a real PostgreSQL: one server for the session, one fresh and migrated database for each test.

A floor that needs them names them in its ``conftest.py``::

    from tests.postgres import database, database_url, migrated_template, postgres_server

    __all__ = ["database", "database_url", "migrated_template", "postgres_server"]
"""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import pytest

from mooring.store import Database, DatabaseUrl, EmbeddedPostgres, migrate

_TEMPLATE = "mooring_template"
_numbers = itertools.count(1)


def url_of(server_url: str, database: str) -> DatabaseUrl:
    """The URL of another database of the same server."""
    head, _, query = server_url.partition("?")
    return DatabaseUrl(f"{head.rpartition('/')[0]}/{database}?{query}")


async def run_on(url: str, *statements: str) -> None:
    """Run statements one by one, on a connection of their own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[DatabaseUrl]:
    """The URL of a running embedded server."""
    with tempfile.TemporaryDirectory(prefix="mooring-pg-") as folder:
        # Nothing of a test has to outlive a power cut.
        server = EmbeddedPostgres(Path(folder) / "data", settings={"fsync": "off", "full_page_writes": "off"})
        url = asyncio.run(server.start())
        try:
            yield url
        finally:
            asyncio.run(server.stop())


@pytest.fixture(scope="session")
def migrated_template(postgres_server: DatabaseUrl) -> DatabaseUrl:
    """The URL of a server whose template database has every migration."""

    async def prepare() -> None:
        await run_on(postgres_server, f"CREATE DATABASE {_TEMPLATE}")
        await migrate(url_of(postgres_server, _TEMPLATE))

    asyncio.run(prepare())
    return postgres_server


@pytest.fixture
async def database_url(migrated_template: DatabaseUrl) -> AsyncGenerator[DatabaseUrl]:
    """The URL of a database of this test alone, cloned from the template."""
    name = f"test_{next(_numbers)}"
    await run_on(migrated_template, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
    yield url_of(migrated_template, name)
    await run_on(migrated_template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """An open database of this test alone."""
    opened = await Database.open(database_url, max_size=4)
    yield opened
    await opened.close()
