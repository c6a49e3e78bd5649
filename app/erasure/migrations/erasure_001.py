"""The audit record of erasures: who had whom erased when, with counts, and without anything that names the person."""

from runtime.migrations import run_sql

revision = "erasure_001"
down_revision = None
branch_labels = ("erasure",)
depends_on = None


def upgrade() -> None:
    """Create `stunity.erasures`."""
    run_sql(__file__, "001_erasures.sql")
