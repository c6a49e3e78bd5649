"""Rebuilds: what is being built, what is kept for a rollback, what was."""

from runtime.migrations import run_sql

revision = "rebuild_001"
down_revision = None
branch_labels = ("rebuild",)
depends_on = ("engine_001",)


def upgrade() -> None:
    """Create `engine.rebuilds`."""
    run_sql(__file__, "001_rebuilds.sql")
