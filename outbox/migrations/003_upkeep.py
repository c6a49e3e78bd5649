"""Partition upkeep, counted counters, and the state of the scheduler's jobs."""

from runtime.migrations import run_sql

revision = "outbox_003"
down_revision = "outbox_002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "003_upkeep.sql")
