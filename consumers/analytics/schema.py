"""The tables of the view on each kind of server, and finding out which kind this is.

Kinds: `community` TimescaleDB (hypertables, continuous aggregates, policies), `apache` TimescaleDB (hypertables; it
refuses the other two), `absent` (native monthly range partitions). Where roll-ups are no continuous aggregates they are
tables of the same names and columns that the consumer keeps. Which schema all this is in says `layout.py`; what is
dropped in time says `upkeep.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql

from consumers.analytics.layout import LIVING, Layout
from runtime.postgres import Connection, fetch_rows

#: Another number makes every view of this kind anew (and fills it from the truth) when the consumer starts.
VERSION: Final = 3
FACT_TABLES: Final = ("post_views_ts", "engagement_ts", "school_activity_ts")
ROLLUPS: Final = ("post_views_hourly", "post_views_daily", "engagement_hourly", "school_activity_hourly")
#: Sums of busy days, where the roll-ups are no continuous aggregates.
KEPT: Final = ("busy_hours", "busy_days")
#: Roll-ups that are tables there; the others are views on facts and sums.
_KEPT_ROLLUPS: Final = ("engagement_hourly", "school_activity_hourly")
_PEOPLE: Final = ("people", "post_people", "school_people")
_OTHERS: Final = ("made", "checkpoint", *_PEOPLE)
RELATIONS: Final = (*FACT_TABLES, *ROLLUPS, *_OTHERS)
_LOCK: Final = 7_310_017


class Kind(StrEnum):
    """What the server offers for time series."""

    COMMUNITY = "community"
    APACHE = "apache"
    ABSENT = "absent"

    def can_keep(self, made: str) -> bool:
        """Whether tables that were made for another kind work on a server of this one."""
        usable = {
            Kind.COMMUNITY: {"community", "apache", "absent"},
            Kind.APACHE: {"apache", "absent"},
            Kind.ABSENT: {"absent"},
        }
        return made in usable[self]


async def detect(conn: Connection) -> Kind:
    """The kind of this server. Installs the extension when it is available and we may; otherwise goes without."""
    if not await fetch_rows(conn, "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"):
        return Kind.ABSENT
    try:
        async with conn.transaction():
            await conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            [(licence,)] = await fetch_rows(conn, "SELECT current_setting('timescaledb.license', true)")
    except psycopg.Error:  # not preloaded, or not ours to install: native partitions serve as well
        return Kind.ABSENT
    return Kind.COMMUNITY if licence == "timescale" else Kind.APACHE


async def install(conn: Connection, layout: Layout | None = None) -> Kind:
    """Make the generation, or find it as it was made; returns the kind of its tables. Idempotent.

    Tables of which one is missing, that have no checkpoint, or that were made for another zone or a kind that the
    server no longer is, are worth nothing: they are made anew, empty, and the engine fills them from the truth. Tables
    made for a lesser kind go on working; a rebuild moves them.
    """
    layout = layout or Layout()
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        server = await detect(conn)
        kind = await _as_made(conn, layout, server)
        if kind is None:
            kind = server
            await _make(conn, layout, kind)
        if kind is Kind.COMMUNITY:
            await _set_policies(conn, layout)
    return kind


async def drop(conn: Connection, layout: Layout) -> None:
    """Remove a generation's tables, but not the schema with its privileges."""
    name = sql.Identifier(layout.schema)
    for table in FACT_TABLES:  # continuous aggregates and views of theirs go with the facts
        await conn.execute(sql.SQL("DROP TABLE IF EXISTS {}.{} CASCADE").format(name, sql.Identifier(table)))
    for table in (*ROLLUPS, *KEPT, *_OTHERS):
        await conn.execute(sql.SQL("DROP TABLE IF EXISTS {}.{} CASCADE").format(name, sql.Identifier(table)))
    await conn.execute(sql.SQL("DROP FUNCTION IF EXISTS {}.forget() CASCADE").format(name))


async def empty(conn: Connection, layout: Layout, kind: Kind) -> None:
    """Take out every fact with all that is counted of it; who may read stays. The checkpoint goes as well."""
    rollups = ROLLUPS if kind is Kind.COMMUNITY else (*KEPT, *_KEPT_ROLLUPS)
    for table in (*FACT_TABLES, *rollups, *_PEOPLE):
        await conn.execute(
            sql.SQL("TRUNCATE {}.{}").format(sql.Identifier(layout.schema), sql.Identifier(table))
        )


async def analyze(conn: Connection, layout: Layout, tables: Iterable[str] = FACT_TABLES) -> None:
    """Let the planner know what is there."""
    for table in tables:
        await conn.execute(
            sql.SQL("ANALYZE {}.{}").format(sql.Identifier(layout.schema), sql.Identifier(table))
        )


async def exchange(conn: Connection, shadow: str, former: str) -> None:
    """Make the shadow the living generation, and the living one `former`. One transaction, nothing is copied."""
    async with conn.transaction():
        for old, new in ((LIVING, former), (shadow, LIVING)):
            await conn.execute(
                sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
            )


async def _as_made(conn: Connection, layout: Layout, server: Kind) -> Kind | None:
    """The kind that the tables were made for, None when they cannot be used."""
    named = [f"{layout.schema}.{relation}" for relation in RELATIONS]
    [(there,)] = await fetch_rows(
        conn, "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name", (named,)
    )
    if not there:
        return None
    name = sql.Identifier(layout.schema)
    query = sql.SQL("SELECT kind, zone, version FROM {}.made WHERE EXISTS (SELECT FROM {}.checkpoint)")
    rows = await fetch_rows(conn, query.format(name, name).as_string(conn))
    if not rows:
        return None
    kind, zone, version = rows[0]
    usable = server.can_keep(kind) and zone == layout.zone.key and version == VERSION
    return Kind(kind) if usable else None


async def _make(conn: Connection, layout: Layout, kind: Kind) -> None:
    if await fetch_rows(conn, "SELECT FROM pg_namespace WHERE nspname = %s", (layout.schema,)):
        await drop(conn, layout)
    await conn.execute(layout.script("base").encode())
    partitioning = "PARTITION BY RANGE (time)" if kind is Kind.ABSENT else ""
    await conn.execute(layout.script("facts", partitioning=partitioning).encode())
    for table in FACT_TABLES:
        await _make_chunked(conn, layout, table, kind)
    rollups = "rollups_continuous" if kind is Kind.COMMUNITY else "rollups_kept"
    await conn.execute(layout.script(rollups).encode())
    made = sql.SQL("INSERT INTO {}.made (kind, zone, version) VALUES (%s, %s, %s)")
    await conn.execute(made.format(sql.Identifier(layout.schema)), (kind.value, layout.zone.key, VERSION))
    if kind is Kind.COMMUNITY:
        policies = layout.statements("policies")
        await conn.execute(policies["refresh"].encode())
        await conn.execute(policies["columnstore"].encode())


async def _make_chunked(conn: Connection, layout: Layout, table: str, kind: Kind) -> None:
    schema = sql.Identifier(layout.schema)
    name = sql.Identifier(layout.schema, table)
    await conn.execute(
        sql.SQL("CREATE TRIGGER forget AFTER TRUNCATE ON {} EXECUTE FUNCTION {}.forget()").format(
            name, schema
        )
    )
    if kind is Kind.ABSENT:
        default = sql.Identifier(layout.schema, f"{table}_default")
        await conn.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(default, name))
    else:
        await conn.execute(
            "SELECT create_hypertable(%s, 'time', chunk_time_interval => interval '7 days')",
            (f"{layout.schema}.{table}",),
        )


async def _set_policies(conn: Connection, layout: Layout) -> None:
    """Retention as the setting says; nothing when it already is so."""
    name = sql.Identifier(layout.schema)
    query = sql.SQL("UPDATE {}.made SET retention_days = %s WHERE retention_days IS DISTINCT FROM %s").format(
        name
    )
    changed = await conn.execute(query, (layout.retention_days, layout.retention_days))
    if not changed.rowcount:
        return
    policies = layout.statements("policies")
    await conn.execute(policies["no_retention"])
    if layout.retention_days is not None:
        await conn.execute(policies["retention"], {"days": layout.retention_days})


def month_of(time: datetime) -> tuple[int, int]:
    """The (year, month) in UTC whose partition holds a time."""
    utc = time.astimezone(UTC)
    return utc.year, utc.month


async def ensure_months(conn: Connection, layout: Layout, months: Iterable[tuple[int, int]]) -> None:
    """Make the native partitions of these months. Only this consumer writes here, so nobody's insert waits for it."""
    for year, month in months:
        low = datetime(year, month, 1, tzinfo=UTC)
        high = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        for table in FACT_TABLES:
            await conn.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(layout.schema, f"{table}_{year}_{month:02}"),
                    sql.Identifier(layout.schema, table),
                    sql.Literal(low.isoformat()),
                    sql.Literal(high.isoformat()),
                )
            )
