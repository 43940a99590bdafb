"""What v2 keeps of applications and accounts for their developers."""

from mooring.store.migrations import forward_only, run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Go to 0012."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
