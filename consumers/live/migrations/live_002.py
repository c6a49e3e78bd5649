"""Live quiz games."""

from runtime.migrations import run_sql

revision = "live_002"
down_revision = "live_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of games, players and answers."""
    run_sql(__file__, "002_games.sql")
