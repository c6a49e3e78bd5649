"""Posts and everything that people do with them, in the development copy of the upstream tables."""

from runtime.migrations import run_sql

revision = "producers_002"
down_revision = "producers_001"


def upgrade() -> None:
    """Create posts and engagement."""
    run_sql(__file__, "002_posts.sql")
