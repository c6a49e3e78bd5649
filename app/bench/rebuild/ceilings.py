"""What a store takes when everything is ready: the documents, vectors and facts that a rebuild has left, once more.

They are read back into memory first, so that nothing but the store's own work is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import httpx
from psycopg import sql

from app.bench.search.indexing import counts, raw
from app.bench.servers import SearchServers
from consumers.analytics import schema as series
from consumers.analytics.layout import LIVING, Layout
from runtime.postgres import Connection, connect, fetch_rows

_ROWS_AT_A_TIME: Final = 1000

#: The index is built with what a rebuild gives it.
_INDEX_SETTINGS: Final = (
    "SET maintenance_work_mem = '512MB'",
    "SET max_parallel_maintenance_workers = 4",
)
_VECTORS_TABLE: Final = (
    "CREATE TABLE embeddings.ceiling (LIKE embeddings.vectors INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
)
_VECTORS_INDEX: Final = """
CREATE INDEX ON embeddings.ceiling USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops) WHERE kind <> 'profile'
"""

_RAW: Final = Layout("analytics_ceiling")
_UNITS: Final = {"hour": "date_trunc('hour', time)", "day": "date_trunc('day', time, 'Asia/Phnom_Penh')"}
#: Every hour and day that has something, in one statement each.
_ROLLUPS: Final = (
    """CREATE TABLE {schema}.views_by_{unit} AS
       SELECT {start} AS bucket, post_id, sum(weight) AS views, count(DISTINCT viewer_id) AS viewers,
              sum(duration_s) AS seconds, count(*) FILTER (WHERE source = 'feed') AS from_feed
         FROM {schema}.post_views_ts GROUP BY 1, 2""",
    """CREATE TABLE {schema}.engagement_by_{unit} AS
       SELECT {start} AS bucket, post_id, kind, count(*) AS number FROM {schema}.engagement_ts GROUP BY 1, 2, 3""",
    """CREATE TABLE {schema}.activity_by_{unit} AS
       SELECT {start} AS bucket, school_id, kind, count(*) AS number, count(DISTINCT user_id) AS people
         FROM {schema}.school_activity_ts GROUP BY 1, 2, 3""",
)
_MONTHS: Final = "SELECT date_trunc('month', time, 'UTC'), count(*) FROM {} GROUP BY 1"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many things the store took, and how many a second."""

    things: int
    per_s: float


async def documents(on: SearchServers, say: Callable[[str], None]) -> Ceiling:
    """The import API, one and two requests at a time; the faster counts."""
    headers = {"X-TYPESENSE-API-KEY": on.typesense.api_key}
    async with httpx.AsyncClient(base_url=on.typesense.url(), headers=headers, timeout=300) as http:
        return Ceiling(sum((await counts(http)).values()), await raw(http, say))


async def vectors(url: str) -> Ceiling:
    """COPY into a table, then the index of nearness over it."""
    async with connect(url, autocommit=True, name="bench-ceiling") as conn:
        rows = await _read(conn, "COPY (SELECT * FROM embeddings.vectors) TO STDOUT (FORMAT binary)")
        [(things,)] = await fetch_rows(conn, "SELECT count(*) FROM embeddings.vectors")
        await conn.execute(_VECTORS_TABLE)
        for setting in _INDEX_SETTINGS:
            await conn.execute(setting)
        started = perf_counter()
        await _write(conn, "COPY embeddings.ceiling FROM STDIN (FORMAT binary)", rows)
        await conn.execute(_VECTORS_INDEX)
        seconds = perf_counter() - started
        await conn.execute("DROP TABLE embeddings.ceiling")
    return Ceiling(things, things / seconds)


async def facts(url: str) -> tuple[Ceiling, Ceiling]:
    """COPY into tables with the same partitions and indexes, and then all roll-ups; and the COPY alone."""
    async with connect(url, autocommit=True, name="bench-ceiling") as conn:
        rows, things, months = {}, 0, set()
        for table in series.FACT_TABLES:
            rows[table] = await _read(conn, f"COPY (SELECT * FROM {LIVING}.{table}) TO STDOUT")  # noqa: S608
            for month, count in await fetch_rows(conn, _MONTHS.format(f"{LIVING}.{table}")):
                months.add(series.month_of(month))
                things += count
        if await series.install(conn, _RAW) is series.Kind.ABSENT:
            await series.ensure_months(conn, _RAW, sorted(months))
        started = perf_counter()
        for table, some in rows.items():
            await _write(conn, f"COPY {_RAW.schema}.{table} FROM STDIN", some)
        copied = perf_counter() - started
        for statement in _ROLLUPS:
            for unit, start in _UNITS.items():
                query = statement.format(schema=_RAW.schema, unit=unit, start=start)
                await conn.execute(query.encode())
        seconds = perf_counter() - started
        await conn.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(_RAW.schema)))
    return Ceiling(things, things / seconds), Ceiling(things, things / copied)


async def _read(conn: Connection, statement: str) -> list[bytes]:
    async with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        return [bytes(row) async for row in copy]


async def _write(conn: Connection, statement: str, rows: Sequence[bytes]) -> None:
    """In blocks: one by one, rows would cost more here than in the server."""
    async with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            await copy.write(b"".join(rows[start : start + _ROWS_AT_A_TIME]))
