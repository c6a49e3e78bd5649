"""What time takes away: facts and roll-ups older than the retention, on every kind of server.

Under the community licence TimescaleDB's own policies drop the chunks of facts and roll-ups (schema.py sets them);
the Apache edition has `drop_chunks` and nobody to call it, native partitions have neither. Sets of people are tables of
ours everywhere. Run once a day by the worker, for the scheduler.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
import structlog
from psycopg import sql

from consumers.analytics.layout import Layout
from consumers.analytics.schema import FACT_TABLES, Kind, month_of
from runtime.postgres import Connection, fetch_rows

log = structlog.get_logger(__name__)

RETIRE: Final = "analytics.retire"
QUEUE: Final = "analytics"

#: Tables of ours whose rows go by their bucket: on every kind, and where roll-ups are kept by the consumer.
_SETS: Final = (("post_people", "day"), ("school_people", "day"))
_KEPT: Final = (
    ("busy_hours", "hour"),
    ("busy_days", "day"),
    ("engagement_hourly", "hour"),
    ("school_activity_hourly", "hour"),
)
_MONTH: Final = re.compile(r"_(\d{4})_(\d\d)$")
_PARTITIONS: Final = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = to_regclass(%s) ORDER BY 1
"""


async def retire(conn: Connection, layout: Layout, *, now: datetime | None = None) -> list[str]:
    """Drop what is older than the retention; returns what went. The connection is in autocommit mode.

    Facts go by whole chunks or months, roll-ups and sets by whole days, so facts outlive what was made of them.
    """
    if layout.retention_days is None:
        return []
    oldest = (now or datetime.now(UTC)) - timedelta(days=layout.retention_days)
    grid = layout.grid
    cut = datetime.fromtimestamp(grid.day(grid.hour(oldest.timestamp())), UTC)
    try:
        [(kind,)] = await fetch_rows(conn, layout.statements("store")["kind"])
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []
    gone = []
    for table, column in (*_SETS, *(() if kind == Kind.COMMUNITY else _KEPT)):
        statement = sql.SQL("DELETE FROM {} WHERE {} < %s").format(
            sql.Identifier(layout.schema, table), sql.Identifier(column)
        )
        rows = (await conn.execute(statement, (cut,))).rowcount
        gone += [f"{table}: {rows} rows"] if rows else []
    if kind == Kind.APACHE:
        gone += await _drop_chunks(conn, layout, cut)
    elif kind == Kind.ABSENT:
        gone += await _drop_months(conn, layout, cut)
    log.info("analytics_retired", before=cut.isoformat(), gone=gone)
    return gone


async def _drop_chunks(conn: Connection, layout: Layout, cut: datetime) -> list[str]:
    gone = []
    for table in FACT_TABLES:
        params = (f"{layout.schema}.{table}", cut)
        rows = await fetch_rows(conn, "SELECT drop_chunks(%s, older_than => %s::timestamptz)::text", params)
        gone += [name for (name,) in rows]
    return gone


async def _drop_months(conn: Connection, layout: Layout, cut: datetime) -> list[str]:
    """Under a short lock: a reader who takes long puts it off until tomorrow, and nobody queues behind us."""
    gone = []
    for table in FACT_TABLES:
        for (name,) in await fetch_rows(conn, _PARTITIONS, (f"{layout.schema}.{table}",)):
            month = _MONTH.search(name)
            if month is None or (int(month[1]), int(month[2])) >= month_of(cut):
                continue
            try:
                async with conn.transaction():
                    await conn.execute("SET LOCAL lock_timeout = '2s'")
                    await conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(layout.schema, name)))
                gone.append(name)
            except psycopg.errors.LockNotAvailable:
                log.warning("partition_in_use", partition=name)
    return gone
