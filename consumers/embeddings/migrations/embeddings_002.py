"""Sets of vectors beside the one that serves, which change places with it."""

from runtime.migrations import run_sql

revision = "embeddings_002"
down_revision = "embeddings_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "002_sets.sql")
