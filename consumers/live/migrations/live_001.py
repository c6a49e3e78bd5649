"""Revoked tokens and presence."""

from runtime.migrations import run_sql

revision = "live_001"
down_revision = None
branch_labels = ("live",)
depends_on = None


def upgrade() -> None:
    """Create schema `live`."""
    run_sql(__file__, "001_live.sql")
