"""What the verifiers keep in PostgreSQL: requests for the owners of views, and the last result of each view."""

from runtime.migrations import run_sql

revision = "repair_001"
down_revision = None
branch_labels = ("repair",)
depends_on = ("engine_001",)


def upgrade() -> None:
    """Create the tables."""
    run_sql(__file__, "001_repairs.sql")
