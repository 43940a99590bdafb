"""Sources can be drained: their accounts leave them one by one."""

from mooring.store.migrations import forward_only, run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Go to 0013."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
