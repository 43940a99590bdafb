"""Changes of an application's static-IP state are kept."""

from mooring.store.migrations import forward_only, run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Go to 0007."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
