"""The durable log and the truth, as a consumer reads them: snapshots, pages of events, fills. SQL functions by name.

Events come in the newest version of their type, as `schemas/wire.py` gives those of the streams.

`outbox.log_events` and `outbox.truth_events` belong to `outbox/`; this file only pages through them. What is done
with the events is `catchup.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool
from runtime.statements import load
from schemas.envelope import Event
from schemas.registry import REGISTRY
from schemas.snapshot import Snapshot

_SQL: Final = load(Path(__file__).parent / "sql" / "log.sql")


@dataclass(frozen=True, slots=True)
class Head:
    """The truth at one moment."""

    epoch: int
    partitions: int
    snapshot: Snapshot
    taken_at_ms: int
    newest_fill: int
    oldest_day_ms: int

    def can_serve(self, taken_at_ms: int) -> bool:
        """Whether the log may hold everything since a snapshot that was taken then; `Log.reaches` knows."""
        return taken_at_ms >= self.oldest_day_ms


class Log:
    """Pages of events from PostgreSQL. Every method raises Retryable when it is away.

    A view that is `filled_from` the keys of some tables, because it reads the rows itself, gets those alone, bare.
    """

    def __init__(self, pool: Pool, topics: frozenset[str], filled_from: frozenset[str] | None = None) -> None:
        self._pool = pool
        self._topics = sorted(topics)
        self._filled_from = filled_from

    async def head(self) -> Head:
        """Where the truth stands now."""
        async with self.connection() as conn:
            row = await (await conn.execute(_SQL["head"])).fetchone()
        assert row is not None
        epoch, partitions, snapshot, now_ms, fill, oldest_ms = row
        return Head(epoch, partitions, Snapshot.parse(snapshot), now_ms, fill, oldest_ms)

    async def reaches(self, snapshot: Snapshot, epoch: int, taken_at_ms: int) -> bool:
        """Whether the log holds everything that a snapshot, taken then, does not see."""
        params = {"snapshot": str(snapshot), "epoch": epoch, "taken_at_ms": taken_at_ms}
        async with self.connection() as conn:
            row = await (await conn.execute(_SQL["reaches"], params)).fetchone()
        return row is not None and bool(row[0])

    async def page(self, since: Snapshot, epoch: int, upto: str, after: int, size: int) -> list[Event]:
        """Events that became visible between two snapshots, oldest first, from row `after` on."""
        params = {
            "since": str(since),
            "epoch": epoch,
            "upto": upto,
            "topics": self._topics,
            "after": after,
            "max": size,
        }
        async with self.connection() as conn:
            rows = await (await conn.execute(_SQL["page"], params)).fetchall()
        return [REGISTRY.upcast(Event(*row)) for row in rows]

    async def truth_sources(self) -> list[str]:
        """The tables of the truth from which this consumer's view is filled."""
        async with self.connection() as conn:
            rows = await (await conn.execute(_SQL["truth_sources"], {"topics": self._topics})).fetchall()
        return [row[0] for row in rows if self._filled_from is None or row[0] in self._filled_from]

    async def truth_page(self, source: str, cursor: str | None, size: int) -> tuple[list[Event], str | None]:
        """Events made from the rows that stand in the truth now, and where to go on."""
        bare = self._filled_from is not None
        params: dict[str, Any] = {"source": source, "after": cursor, "max": size, "bare": bare}
        async with self.connection() as conn:
            rows = await (await conn.execute(_SQL["truth_page"], params)).fetchall()
        events = [
            REGISTRY.upcast(Event(0, 0, at, topic, kind, key, data, headers))
            for _, topic, kind, key, data, headers, at in rows
        ]
        return events, rows[-1][0] if rows else None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection; an outage of PostgreSQL comes out as Retryable."""
        try:
            async with self._pool.connection() as conn:
                yield conn
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL: {error}") from error
