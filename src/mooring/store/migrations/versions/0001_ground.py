"""The ground: what the first version needs."""

from mooring.store.migrations import forward_only, run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go to 0001."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
