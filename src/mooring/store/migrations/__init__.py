"""The database's shape, as a chain of SQL files that only grows.

A migration is a pair in ``versions/``: ``0002_what.py`` names its place in the chain and calls
``run_sql(__file__)``; ``0002_what.sql`` beside it holds plain SQL, any number of statements. There is no
way back: a mistake is mended by the next migration. Start at ``migrate.py``.
"""

from pathlib import Path
from typing import NoReturn

from alembic import op

from mooring.errors import ConfigError


def run_sql(revision_file: str) -> None:
    """Hand the SQL file beside this revision to the database, as it is written."""
    script = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_context().impl.static_output(script)


def forward_only() -> NoReturn:
    """Refuse to undo a migration.

    Raises:
        ConfigError: always.
    """
    raise ConfigError("migrations only go forward", hint="Restore a backup, or mend it with a new migration.")
