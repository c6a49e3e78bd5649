"""The engine's own tables: leases, checkpoint copies, dead letters."""

from runtime.migrations import run_sql

revision = "engine_001"
down_revision = None
branch_labels = ("engine",)
depends_on = None


def upgrade() -> None:
    """Create schema `engine`."""
    run_sql(__file__, "001_engine.sql")
