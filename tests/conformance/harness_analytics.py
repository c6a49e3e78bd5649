"""Analytics: facts and hourly roll-ups."""

from __future__ import annotations

from psycopg import sql

from runtime.postgres import fetch_dicts
from tests.conformance.harness import Content, Stores

_TABLES = (
    "post_views_ts",
    "engagement_ts",
    "school_activity_ts",
    "post_views_hourly",
    "engagement_hourly",
    "school_activity_hourly",
)


class AnalyticsHarness:
    """Looks at the tables of schema `analytics`."""

    name = "analytics"

    async def content(self, stores: Stores) -> Content:
        """All rows by table, in a fixed order."""
        async with stores.pool.connection() as conn:
            return {
                table: sorted(
                    (
                        tuple(sorted((name, str(value)) for name, value in row.items()))
                        for row in await fetch_dicts(
                            conn,
                            sql.SQL("SELECT * FROM {}")
                            .format(sql.Identifier("analytics", table))
                            .as_string(conn),
                        )
                    ),
                )
                for table in _TABLES
            }

    async def wipe(self, stores: Stores) -> None:
        """Drop the schema."""
        async with stores.pool.connection() as conn:
            await conn.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
