"""PostgreSQL connections: pools for services, one-off connections for commands.

Safe behind a transaction pooler: no prepared statements, no session state, everything in short transactions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, dict_row
from psycopg_pool import AsyncConnectionPool

from runtime.errors import Retryable

Connection = psycopg.AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]

#: What a lost, refused or restarting server looks like to psycopg; everything else is a bug or bad input.
TRANSIENT = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    TimeoutError,
)


@asynccontextmanager
async def open_pool(url: str, *, max_size: int = 4, name: str | None = None) -> AsyncIterator[Pool]:
    """A pool that opens lazily, so that a process starts (and falls back) while PostgreSQL is away."""
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=0,
        max_size=max_size,
        open=False,
        name=name,
        timeout=5.0,
        kwargs={"prepare_threshold": None, "application_name": name or "stunity"},
        check=AsyncConnectionPool.check_connection,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for statements that stand alone: a SELECT needs no BEGIN before and no COMMIT after it."""
    async with pool.connection() as conn:
        await conn.set_autocommit(True)
        try:
            yield conn
        finally:  # a connection that was lost is thrown away by the pool as it is
            if conn.info.transaction_status is TransactionStatus.IDLE:
                await conn.set_autocommit(False)


@asynccontextmanager
async def connect(url: str, *, autocommit: bool = False, name: str = "stunity") -> AsyncIterator[Connection]:
    """One connection for a command; committed on success, rolled back on error.

    Raises:
        Retryable: the server cannot be reached.
    """
    try:
        conn = await psycopg.AsyncConnection.connect(
            url, autocommit=autocommit, prepare_threshold=None, application_name=name, connect_timeout=10
        )
    except psycopg.OperationalError as error:
        raise Retryable(f"PostgreSQL cannot be reached: {error}") from error
    async with conn:
        yield conn


async def fetch_rows(conn: Connection, query: str, params: Any = None) -> list[TupleRow]:
    """All rows of one statement as tuples."""
    return await (await conn.execute(query, params)).fetchall()


async def fetch_dicts(conn: Connection, query: str, params: Any = None) -> list[dict[str, Any]]:
    """All rows of one statement as dictionaries."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()
