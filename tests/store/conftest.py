"""The floor's fixtures."""

import fcntl
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.postgres import database, database_url, migrated_template, postgres_server

__all__ = ["data", "database", "database_url", "migrated_template", "postgres_server"]


@pytest.fixture
def data(tmp_path: Path) -> Generator[Path]:
    """A data folder that does not exist yet; a server that a failed test leaves in it is ended."""
    folder = tmp_path / "data"
    yield folder
    lock, pid = folder / "locks/server", folder / "postgres/postmaster.pid"
    if not lock.exists():
        return
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.kill(int(pid.read_text().split()[0]), signal.SIGQUIT)
            fcntl.flock(file, fcntl.LOCK_EX)
