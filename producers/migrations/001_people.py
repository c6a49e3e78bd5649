"""Schools, classes and people of the development copy of the upstream tables."""

from runtime.migrations import run_sql

revision = "producers_001"
down_revision = None
branch_labels = ("producers",)


def upgrade() -> None:
    """Create schools, classes and people."""
    run_sql(__file__, "001_people.sql")
