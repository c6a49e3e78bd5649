"""Many rows at once, for seeding and load tests: COPY in batches of one short transaction each.

Capture triggers see every row, as they do for single inserts. Rows whose id is there already are left as they are, so
that an interrupted load may simply be repeated. For one object at a time use the services beside this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from runtime.postgres import Connection

Row = tuple[Any, ...]


async def insert(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> int:
    """Write rows whose first column is the id, in one transaction; returns how many were new."""
    async with conn.transaction():
        known = await _known(conn, table, [row[0] for row in rows])
        fresh = [row for row in rows if row[0] not in known]
        if fresh:
            await _copy(conn, table, columns, fresh)
    return len(fresh)


async def _known(conn: Connection, table: str, ids: Sequence[str]) -> set[str]:
    query = sql.SQL("SELECT id FROM {} WHERE id = ANY (%s)").format(sql.Identifier("public", table))
    cursor = await conn.execute(query, (list(ids),))
    return {row[0] for row in await cursor.fetchall()}


async def _copy(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    target = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier("public", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    async with conn.cursor() as cursor, cursor.copy(target) as copy:
        for row in rows:
            await copy.write_row(row)
