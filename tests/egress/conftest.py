"""The floor's fixtures."""

from collections.abc import AsyncGenerator

import pytest

from mooring.store import Database
from tests.egress.exits import Exits, Server, serving
from tests.postgres import database, database_url, migrated_template, postgres_server

__all__ = ["database", "database_url", "migrated_template", "postgres_server"]


@pytest.fixture
async def exits(database: Database) -> AsyncGenerator[Exits]:
    """Dialers over a ledger of this test alone."""
    held = Exits(database)
    yield held
    await held.ledger.aclose()


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    """A server that says hello."""
    async with serving() as running:
        yield running
