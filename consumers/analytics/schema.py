"""The tables of the view on each kind of server, and finding out which kind this is.

Kinds: `community` and `apache` TimescaleDB (hypertables), `absent` (native monthly range partitions). Only functions
that all editions have are used: the Apache edition refuses continuous aggregates, compression and retention
policies, so the roll-ups are kept by the consumer on every kind and give the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from runtime.postgres import Connection

FACT_TABLES: Final = ("post_views_ts", "engagement_ts", "school_activity_ts")
_SQL: Final = Path(__file__).parent / "sql"
_LOCK: Final = 7_310_017


class Kind(StrEnum):
    """What the server offers for time series."""

    COMMUNITY = "community"
    APACHE = "apache"
    ABSENT = "absent"


async def detect(conn: Connection) -> Kind:
    """The kind of this server. Installs the extension when it is available and we may; otherwise goes without."""
    row = await (
        await conn.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    ).fetchone()
    if row is None:
        return Kind.ABSENT
    try:
        async with conn.transaction():
            await conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            license_row = await (
                await conn.execute("SELECT current_setting('timescaledb.license', true)")
            ).fetchone()
    except psycopg.Error:  # not preloaded, or not ours to install: native partitions serve as well
        return Kind.ABSENT
    return Kind.COMMUNITY if license_row and license_row[0] == "timescale" else Kind.APACHE


async def install(conn: Connection) -> Kind:
    """Make what is missing of the schema. Idempotent; concurrent callers wait for each other."""
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        kind = await detect(conn)
        await conn.execute((_SQL / "base.sql").read_bytes())
        fresh = [table for table in FACT_TABLES if not await _exists(conn, table)]
        partitioning = "PARTITION BY RANGE (time)" if kind is Kind.ABSENT else ""
        facts = (_SQL / "facts.sql").read_text(encoding="utf-8").replace("{partitioning}", partitioning)
        await conn.execute(facts.encode())
        for table in fresh:
            await _make_chunked(conn, table, kind)
            # A table that had to be made is empty: what was derived from it is void, and the checkpoint with it.
            await conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier("analytics", table)))
    return kind


async def _exists(conn: Connection, table: str) -> bool:
    row = await (await conn.execute("SELECT to_regclass(%s)", (f"analytics.{table}",))).fetchone()
    return row is not None and row[0] is not None


async def _make_chunked(conn: Connection, table: str, kind: Kind) -> None:
    name = sql.Identifier("analytics", table)
    await conn.execute(
        sql.SQL("CREATE TRIGGER forget AFTER TRUNCATE ON {} EXECUTE FUNCTION analytics.forget()").format(name)
    )
    if kind is Kind.ABSENT:
        default = sql.Identifier("analytics", f"{table}_default")
        await conn.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} DEFAULT").format(default, name)
        )
    else:
        await conn.execute(
            "SELECT create_hypertable(%s, 'time', chunk_time_interval => interval '7 days', if_not_exists => true)",
            (f"analytics.{table}",),
        )


def month_of(time: datetime) -> tuple[int, int]:
    """The (year, month) in UTC whose partition holds a time."""
    utc = time.astimezone(UTC)
    return utc.year, utc.month


async def ensure_months(conn: Connection, months: Iterable[tuple[int, int]]) -> None:
    """Make the native partitions of these months. Only this consumer writes here, so nobody's insert waits for it."""
    for year, month in months:
        low = datetime(year, month, 1, tzinfo=UTC)
        high = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        for table in FACT_TABLES:
            await conn.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier("analytics", f"{table}_{year}_{month:02}"),
                    sql.Identifier("analytics", table),
                    sql.Literal(low.isoformat()),
                    sql.Literal(high.isoformat()),
                )
            )
