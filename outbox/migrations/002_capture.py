"""Settings, captured sources, requested fills, gaps, and reading the truth as events."""

from runtime.migrations import run_sql

revision = "outbox_002"
down_revision = "outbox_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "002_capture.sql")
