"""Mailboxes: whose they are, what of them was passed over, and two indexes less."""

from mooring.store.migrations import forward_only, run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go to 0002."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
