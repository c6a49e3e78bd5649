"""A log that may only be so large: for databases whose size costs money."""

from runtime.migrations import run_sql

revision = "outbox_006"
down_revision = "outbox_005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "006_cap.sql")
