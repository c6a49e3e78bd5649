"""Jobs with their progress, and where a dead letter came from."""

from runtime.migrations import run_sql

revision = "engine_002"
down_revision = "engine_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create `engine.jobs`."""
    run_sql(__file__, "002_jobs.sql")
