"""Which of two views serves: after a rollback the one before the rebuild."""

from runtime.migrations import run_sql

revision = "rebuild_002"
down_revision = "rebuild_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `rolled_back` to `engine.rebuilds`."""
    run_sql(__file__, "002_rolled_back.sql")
