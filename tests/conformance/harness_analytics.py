"""Analytics: facts, roll-ups, and the people of each post, school and day."""

from __future__ import annotations

from psycopg import sql
from pyroaring import BitMap

from consumers.analytics.people import HOUR_BIT
from runtime.postgres import fetch_dicts, fetch_rows
from tests.conformance.harness import Content, Stores

_TABLES = (
    "post_views_ts",
    "engagement_ts",
    "school_activity_ts",
    "post_views_hourly",
    "post_views_daily",
    "engagement_hourly",
    "school_activity_hourly",
)


class AnalyticsHarness:
    """Looks at the tables of schema `analytics`."""

    name = "analytics"

    async def content(self, stores: Stores) -> Content:
        """All rows by table, in a fixed order; sets by the names of their people (their numbers may differ)."""
        async with stores.pool.connection() as conn:
            tables: Content = {
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
            names = dict(await fetch_rows(conn, "SELECT id, user_id FROM analytics.people"))
            for owner in ("post", "school"):
                query = sql.SQL("SELECT {}, day, people, by_hour FROM {}").format(
                    sql.Identifier(f"{owner}_id"), sql.Identifier("analytics", f"{owner}_people")
                )
                rows = await fetch_rows(conn, query.as_string(conn))
                tables[f"{owner}_people"] = sorted(
                    (row[0], str(row[1]), *_named(*row[2:], names)) for row in rows
                )
            return tables

    async def wipe(self, stores: Stores) -> None:
        """Drop the schema."""
        async with stores.pool.connection() as conn:
            await conn.execute("DROP SCHEMA IF EXISTS analytics CASCADE")


def _named(people: bytes, by_hour: bytes, names: dict[int, str]) -> tuple[list[str], list[tuple[int, str]]]:
    below = (1 << HOUR_BIT) - 1
    marks = BitMap.deserialize(by_hour)
    return (
        sorted(names[person] for person in BitMap.deserialize(people)),
        sorted((mark >> HOUR_BIT, names[mark & below]) for mark in marks),
    )
