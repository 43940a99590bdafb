"""Sources of accounts that are gone: since when."""

from mooring.store.migrations import forward_only, run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go to 0003."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
