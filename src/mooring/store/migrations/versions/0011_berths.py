"""Processes that dial mail servers know of each other, and divide the connections among themselves."""

from mooring.store.migrations import forward_only, run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Go to 0011."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
