"""Accounts can be stopped, and moved between environments."""

from mooring.store.migrations import forward_only, run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Go to 0009."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
