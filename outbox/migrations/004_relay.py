"""What a relay remembers: state per epoch, rounds of poll mode."""

from runtime.migrations import run_sql

revision = "outbox_004"
down_revision = "outbox_003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the statements."""
    run_sql(__file__, "004_relay.sql")
