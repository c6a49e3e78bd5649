"""Alembic's entry point: one connection, one advisory lock, one transaction for everything that is new."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

_LOCK = 7_310_001  # any constant of our own: migrations of one database run one at a time


def _sqlalchemy_url(url: str) -> str:
    parsed = make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


engine = create_engine(
    _sqlalchemy_url(context.config.attributes["url"]),
    poolclass=NullPool,
    connect_args={"prepare_threshold": None},
)
with engine.connect() as connection, connection.begin():
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS stunity"))
    context.configure(
        connection=connection,
        version_table=context.config.attributes["history"],
        version_table_schema="stunity",
    )
    context.run_migrations()
