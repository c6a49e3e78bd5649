"""Copies of a schema's tables, for harnesses of views in PostgreSQL: taken and put back in one transaction."""

from __future__ import annotations

from psycopg import sql

from runtime.postgres import Connection, Pool, fetch_rows

_TABLES = """
SELECT c.relname FROM pg_class c
 WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname
"""
_COPIES = "copies"


async def back_up(pool: Pool, schema: str) -> list[str]:
    """Copy every table; returns their names."""
    async with pool.connection() as conn:
        tables = [name for (name,) in await fetch_rows(conn, _TABLES, (schema,))]
        await conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_COPIES)))
        for table in tables:
            await conn.execute(
                sql.SQL("CREATE TABLE {} AS TABLE {}").format(
                    sql.Identifier(_COPIES, table), sql.Identifier(schema, table)
                )
            )
    return tables


async def put_back(pool: Pool, schema: str, tables: list[str]) -> None:
    """Every table as it was; triggers and identities stay out of it."""
    async with pool.connection() as conn, conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            await conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, table)))
        for table in tables:
            columns = sql.SQL(", ").join(map(sql.Identifier, await _columns(conn, schema, table)))
            await conn.execute(
                sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
                    sql.Identifier(schema, table), columns, columns, sql.Identifier(_COPIES, table)
                )
            )


async def _columns(conn: Connection, schema: str, table: str) -> list[str]:
    rows = await fetch_rows(
        conn,
        """SELECT attname FROM pg_attribute
            WHERE attrelid = format('%%I.%%I', %s::text, %s::text)::regclass AND attnum > 0
              AND NOT attisdropped AND attgenerated = ''""",
        (schema, table),
    )
    return [name for (name,) in rows]
