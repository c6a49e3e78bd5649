"""The durable log: events table, epochs, the functions that other parts call by name."""

from runtime.migrations import run_sql

revision = "outbox_001"
down_revision = None
branch_labels = ("outbox",)
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "001_log.sql")
    run_sql(__file__, "001_functions.sql")
