"""People who sign in to the dashboard, and their sessions."""

from mooring.store.migrations import forward_only, run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Go to 0010."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
