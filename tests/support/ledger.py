"""A projection for tests of the engine: a view in PostgreSQL that writes down which events it has, and how often.

`latest` keeps the newest event per key of topics whose events supersede, `facts` one row per fact. The test decides
what it will not take and when its store is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from consumers.engine import dead_letters
from consumers.engine.projection import Batch, Rejection, StaleOwner, StoreForgot
from runtime.errors import Retryable
from runtime.postgres import Pool
from schemas.envelope import Event

_TABLES = """
CREATE TABLE IF NOT EXISTS ledger_latest (topic text, key text, event_id bigint, PRIMARY KEY (topic, key));
CREATE TABLE IF NOT EXISTS ledger_facts (event_id bigint PRIMARY KEY, key text);
CREATE TABLE IF NOT EXISTS ledger_checkpoint (one bool PRIMARY KEY DEFAULT true, checkpoint text, generation bigint);
"""
_CHECKPOINT = """
INSERT INTO ledger_checkpoint AS c (checkpoint, generation) VALUES (%s, %s)
ON CONFLICT (one) DO UPDATE SET checkpoint = excluded.checkpoint, generation = excluded.generation
WHERE c.generation <= excluded.generation
"""
_LATEST = """
INSERT INTO ledger_latest AS l VALUES (%s, %s, %s)
ON CONFLICT (topic, key) DO UPDATE SET event_id = greatest(l.event_id, excluded.event_id)
"""

_FACT = "INSERT INTO ledger_facts VALUES (%s, %s) ON CONFLICT DO NOTHING"


class LedgerProjection:
    """Everything that happened, in a shape that is easy to compare."""

    name: ClassVar[str] = "ledger"
    topics: ClassVar[frozenset[str]] = frozenset({"post", "user", "engagement"})

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.applied: list[int] = []
        self.batches: list[int] = []
        self.away = False
        self.attempts = 0
        self.refusals = 0
        self.poison: Callable[[Event], bool] = lambda event: bool(event.data.get("poison"))
        self.reject: Callable[[Event], bool] = lambda event: bool(event.data.get("reject"))
        self.stall_after_apply: asyncio.Event | None = None
        self.stall_in_clear: asyncio.Event | None = None
        #: How many events had been applied, each time that the view was to be cleared.
        self.cleared_after: list[int] = []

    async def prepare(self) -> None:
        """Make the tables."""
        self._raise_if_away()
        async with self._pool.connection() as conn:
            await conn.execute(_TABLES)

    async def read_checkpoint(self) -> str | None:
        """Kept beside the rows."""
        self._raise_if_away()
        async with self._pool.connection() as conn:
            row = await (await conn.execute("SELECT checkpoint FROM ledger_checkpoint")).fetchone()
        return row[0] if row else None

    async def clear(self, generation: int) -> None:
        """Only say so: rows stay, so that a test sees what was applied."""
        self.cleared_after.append(len(self.applied))
        if self.stall_in_clear is not None:
            self.stall_in_clear.set()
            await asyncio.Event().wait()  # until the test kills us

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Write the batch in one transaction."""
        self.attempts += 1
        self._raise_if_away()
        rejected = [event for event in batch.events if self.reject(event)]
        async with self._pool.connection() as conn, conn.transaction():
            row = await (await conn.execute("SELECT checkpoint FROM ledger_checkpoint FOR UPDATE")).fetchone()
            if (row is None and not batch.refill) or not batch.follows(row[0] if row else None):
                raise StoreForgot("not the checkpoint that was given")
            cursor = await conn.execute(_CHECKPOINT, (batch.checkpoint, batch.generation))
            if cursor.rowcount == 0:
                raise StaleOwner
            kept = []
            for event in batch.events:
                if self.poison(event):
                    raise ValueError(f"cannot digest {event.key}")
                if event not in rejected:
                    kept.append(event)
            async with conn.cursor() as many:
                states = [one for one in kept if not dead_letters.waits(one)]
                await many.executemany(_LATEST, [(one.topic, one.key, one.id) for one in states])
                facts = [one for one in kept if dead_letters.waits(one)]
                await many.executemany(_FACT, [(one.id, one.key) for one in facts])
        self.batches.append(len(batch.events))
        self.applied += [event.id for event in batch.events if event not in rejected]
        if self.stall_after_apply is not None and batch.events:
            self.stall_after_apply.set()
            await asyncio.Event().wait()  # until the test kills us
        return [Rejection(event, "not to our taste") for event in rejected]

    def _raise_if_away(self) -> None:
        if self.away:
            self.refusals += 1
            raise Retryable("the store is away")
