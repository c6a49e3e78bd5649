"""Clubs, courses and quizzes of the development copy of the upstream tables."""

from runtime.migrations import run_sql

revision = "producers_003"
down_revision = "producers_002"


def upgrade() -> None:
    """Create clubs, courses and quizzes."""
    run_sql(__file__, "003_learning.sql")
