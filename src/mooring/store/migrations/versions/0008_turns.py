"""Whether a failure of synchronisation was told, and its end was not yet."""

from mooring.store.migrations import forward_only, run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Go to 0008."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
