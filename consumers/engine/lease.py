"""One owner per consumer and partition: a row in PostgreSQL with an expiry and a generation.

The generation grows with every change of owner and travels with every write of a view (`Batch.generation`), so that
a store refuses what a paused former owner still sends. It is taken from the clock, so that it also grows over a
restore of the truth. The view's rows are the projection's; only the guard for PostgreSQL views is here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Final
from uuid import uuid4

import psutil

from consumers.engine.projection import StaleOwner
from consumers.engine.tasks import heed_cancellation
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "leases.sql")


async def check_generation(conn: Connection, consumer: str, generation: int, *, partition: int = 0) -> None:
    """For views in the truth's own database: call inside the transaction that writes them, before its end.

    The row stays locked until the caller commits: a takeover waits for that.

    Raises:
        StaleOwner: another process owns the consumer by now.
    """
    row = await (await conn.execute(_SQL["check_generation"], (consumer, partition))).fetchone()
    if row is not None and row[0] > generation:
        raise StaleOwner(f"{consumer}: generation {generation} was followed by {row[0]}")


class Lease:
    """The right to write one consumer's view, held while `hold` is entered."""

    def __init__(self, pool: Pool, consumer: str, *, ttl: float, partition: int = 0) -> None:
        self._pool = pool
        self._consumer = consumer
        self._partition = partition
        self._ttl = ttl
        self._owner = _describe_this_process()
        self.generation = 0

    async def acquire(self) -> bool:
        """Take the lease when it is free, expired, or of a process that is known to be dead.

        Raises:
            Retryable: PostgreSQL is away.
        """
        async with self._connection() as conn:
            row = await (await conn.execute(_SQL["look"], (self._consumer, self._partition))).fetchone()
            current = row[0] if row else None
            row = await (
                await conn.execute(
                    _SQL["acquire"],
                    {
                        "consumer": self._consumer,
                        "partition": self._partition,
                        "owner": self._owner,
                        "ttl": self._ttl,
                        "dead": current if current and _is_dead_neighbour(current) else None,
                    },
                )
            ).fetchone()
        if row is None:
            return False
        self.generation = row[0]
        return True

    async def seize(self) -> None:
        """Take the lease from whoever has it; their next write is refused. For those who then write in their place.

        Raises:
            Retryable: PostgreSQL is away.
        """
        params = {
            "consumer": self._consumer,
            "partition": self._partition,
            "owner": self._owner,
            "ttl": self._ttl,
        }
        async with self._connection() as conn:
            row = await (await conn.execute(_SQL["seize"], params)).fetchone()
        assert row is not None  # it inserts or updates
        self.generation = row[0]

    async def keep(self) -> None:
        """Renew until cancelled.

        Raises:
            StaleOwner: another process has taken over.
            Retryable: PostgreSQL was away for so long that another process may have.
        """
        renewed_at = monotonic()
        while True:
            heed_cancellation()
            await asyncio.sleep(self._ttl / 3)
            asked_at = monotonic()
            try:
                async with asyncio.timeout(self._ttl / 3), self._connection() as conn:
                    cursor = await conn.execute(_SQL["renew"], self._mine() | {"ttl": self._ttl})
            except (Retryable, TimeoutError) as error:
                if monotonic() - renewed_at > self._ttl * 2 / 3:
                    raise Retryable(f"{self._consumer}: the lease could not be renewed: {error}") from error
                continue
            if cursor.rowcount == 0:
                raise StaleOwner(f"{self._consumer}: another process has taken over")
            renewed_at = asked_at

    async def release(self) -> None:
        """Let a successor start at once. Best effort: otherwise the lease expires."""
        try:
            async with asyncio.timeout(2), self._connection() as conn:
                await conn.execute(_SQL["release"], self._mine())
        except (Retryable, TimeoutError):
            return

    def _mine(self) -> dict[str, object]:
        return {"consumer": self._consumer, "partition": self._partition, "generation": self.generation}

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as conn:
                yield conn
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL: {error}") from error


def _neighbourhood() -> str:
    """Names what shares our process ids: this boot of this host, and this pid namespace; empty when unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _describe_this_process() -> str:
    started = psutil.Process().create_time()
    return f"{_neighbourhood()} {os.getpid()} {started:.2f} {uuid4().hex[:8]}"


def _is_dead_neighbour(owner: str) -> bool:
    """Whether an owner's description names a process that ran beside us and does not any more."""
    try:
        neighbourhood, pid, started, _ = owner.split(" ")
        if not neighbourhood or neighbourhood != _neighbourhood():
            return False
        process = psutil.Process(int(pid))
        is_another = abs(process.create_time() - float(started)) > 1
        return is_another or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return False
