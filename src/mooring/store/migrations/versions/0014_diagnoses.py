"""Diagnoses, what is told of them, and how gently servers are probed."""

from mooring.store.migrations import forward_only, run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Go to 0014."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
