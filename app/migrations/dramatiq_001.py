"""The job queue of the workers: schema `dramatiq`, as the broker's own library defines it."""

from alembic import op
from dramatiq_postgres import generate_init_sql

from runtime.jobs import SCHEMA

revision = "dramatiq_001"
down_revision = None
branch_labels = ("dramatiq",)
depends_on = None


def upgrade() -> None:
    """Create the queue, unless somebody's own dramatiq-postgres has made it already."""
    bind = op.get_bind()
    if bind.exec_driver_sql(f"SELECT to_regclass('{SCHEMA}.queue')").scalar() is None:
        bind.exec_driver_sql(generate_init_sql(SCHEMA).replace("%", "%%"))
