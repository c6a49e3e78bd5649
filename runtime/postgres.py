"""PostgreSQL connections: pools for services, one-off connections for commands.

Safe behind a transaction pooler: no session state, everything in short transactions; prepared statements only on a
connection that leads to the server itself.
"""

from __future__ import annotations

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

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

#: Executions after which psycopg prepares a statement by itself: never. One that is worth it says `prepare=True`; for
#: others the plan of all parameters may be a bad one.
_ONLY_WHEN_ASKED: Final = 1 << 30


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
        configure=_learn_what_it_is,
        check=_check_if_spoken_to,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()


async def _learn_what_it_is(conn: Connection) -> None:
    """Allow prepared statements where no pooler stands in between (it shows process ids of its own).

    PostgreSQL in WebAssembly has one session for all who connect one after the other: what they left goes first.
    """
    await conn.set_autocommit(True)
    [(pid,)] = await fetch_rows(conn, "SELECT pg_backend_pid()")
    if pid == conn.info.backend_pid:
        await conn.execute("DEALLOCATE ALL")
        conn.prepare_threshold = _ONLY_WHEN_ASKED
    await conn.set_autocommit(False)


async def _check_if_spoken_to(conn: Connection) -> None:
    """Ask a server that has said something unasked whether it is still there; silence costs no round trip.

    A server that stops or restarts closes its connections, and that can be read without asking.
    """
    heard = select.poll()
    heard.register(conn.fileno(), select.POLLIN)
    if heard.poll(0):
        await AsyncConnectionPool.check_connection(conn)


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


async def fetch_rows(
    conn: Connection, query: str, params: Any = None, *, prepare: bool = False
) -> list[TupleRow]:
    """All rows of one statement as tuples. `prepare`: it is long and comes with every request."""
    return await (await conn.execute(query, params, prepare=prepare)).fetchall()


async def fetch_dicts(
    conn: Connection, query: str, params: Any = None, *, prepare: bool = False
) -> list[dict[str, Any]]:
    """All rows of one statement as dictionaries."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params, prepare=prepare)
        return await cursor.fetchall()
