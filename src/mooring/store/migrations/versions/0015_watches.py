"""Servers are watched until they let us in, and failures of accounts raise verdicts by themselves."""

from mooring.store.migrations import forward_only, run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Go to 0015."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
