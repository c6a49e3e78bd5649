"""Retention: what has left the log, who still needed it, and where its facts are archived."""

from runtime.migrations import run_sql

revision = "outbox_005"
down_revision = "outbox_004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "005_retention.sql")
