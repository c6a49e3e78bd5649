"""Locks on tables that a school is using: asked for briefly, given back at once, asked for again.

A lock that waits makes everybody behind it wait, so the wait itself is what has to be short.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from runtime.errors import Retryable
from runtime.postgres import Connection

T = TypeVar("T")

#: What an insert may have to wait behind us, at most.
LOCK_TIMEOUT_MS = 100


class LockBusy(Retryable):
    """Somebody holds the table for longer than we may wait: a long transaction. Try again later."""


async def with_short_locks(
    conn: Connection, work: Callable[[], Awaitable[T]], *, attempts: int = 40, longest_pause: float = 2.0
) -> T:
    """Run `work` in a transaction of its own whose locks are waited for briefly; again, with growing pauses.

    Raises:
        LockBusy: none of the attempts got the lock.
        ValueError: the connection is inside a transaction, whose locks we could not give back.
    """
    if conn.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("needs a connection that is not inside a transaction")
    timeout = sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{LOCK_TIMEOUT_MS}ms"))
    for attempt in range(attempts):
        try:
            async with conn.transaction():
                await conn.execute(timeout)
                return await work()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            pause = min(longest_pause, 0.05 * 2**attempt)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not a secret)
    raise LockBusy(f"a long transaction held the table during {attempts} attempts")
