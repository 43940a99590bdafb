"""Snippets are sealed with the bodies that they begin; stored mail is copied again for that."""

from mooring.store.migrations import forward_only, run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Go to 0006."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
