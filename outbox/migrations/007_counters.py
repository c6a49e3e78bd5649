"""Posts from which something was taken back are told again, whatever the sum."""

from runtime.migrations import run_sql

revision = "outbox_007"
down_revision = "outbox_006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "007_counters.sql")
