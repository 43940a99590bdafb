"""One address may have a grant for each login that is not its own."""

from mooring.store.migrations import forward_only, run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Go to 0005."""
    run_sql(__file__)


def downgrade() -> None:
    """Never."""
    forward_only()
