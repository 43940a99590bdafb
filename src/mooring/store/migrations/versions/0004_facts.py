"""Facts that are delivered: webhooks, their lanes over the outbox, every attempt, and what is delivered apart."""

from mooring.store.migrations import forward_only, run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go to 0004."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
