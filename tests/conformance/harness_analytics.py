"""Analytics: facts, roll-ups, and the people of each post, school and day."""

from __future__ import annotations

from psycopg import sql
from pyroaring import BitMap

from consumers.analytics.people import HOUR_BIT
from runtime.postgres import fetch_dicts, fetch_rows
from tests.conformance import schema_copy
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
            names: dict[int, str] = dict(await fetch_rows(conn, "SELECT id, user_id FROM analytics.people"))
            for owner in ("post", "school"):
                query = sql.SQL("SELECT {}, day, people, by_hour FROM {}").format(
                    sql.Identifier(f"{owner}_id"), sql.Identifier("analytics", f"{owner}_people")
                )
                rows = await fetch_rows(conn, query.as_string(conn))
                tables[f"{owner}_people"] = sorted(
                    (owner_id, str(day), *_named(people, by_hour, names))
                    for owner_id, day, people, by_hour in rows
                )
            return tables

    async def wipe(self, stores: Stores) -> None:
        """Drop the schema."""
        async with stores.pool.connection() as conn:
            await conn.execute("DROP SCHEMA IF EXISTS analytics CASCADE")

    async def lose_checkpoint(self, stores: Stores) -> None:
        """Delete its row."""
        async with stores.pool.connection() as conn:
            await conn.execute("DELETE FROM analytics.checkpoint")

    async def checkpoint(self, stores: Stores) -> str | None:
        """The one row, if the table is there."""
        async with stores.pool.connection() as conn:
            [(there,)] = await fetch_rows(conn, "SELECT to_regclass('analytics.checkpoint') IS NOT NULL")
            rows = await fetch_rows(conn, "SELECT checkpoint FROM analytics.checkpoint") if there else []
        return rows[0][0] if rows else None

    async def back_up(self, stores: Stores) -> list[str]:
        """Tables beside the tables."""
        return await schema_copy.back_up(stores.pool, "analytics")

    async def put_back(self, stores: Stores, copy: list[str]) -> None:
        """In one transaction."""
        await schema_copy.put_back(stores.pool, "analytics", copy)


def _named(people: bytes, by_hour: bytes, names: dict[int, str]) -> tuple[list[str], list[tuple[int, str]]]:
    below = (1 << HOUR_BIT) - 1
    marks = BitMap.deserialize(by_hour)
    return (
        sorted(names[person] for person in BitMap.deserialize(people)),
        sorted((mark >> HOUR_BIT, names[mark & below]) for mark in marks),
    )
