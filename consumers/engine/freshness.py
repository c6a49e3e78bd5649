"""How old each view is, and waiting until it has applied a position (read-your-writes, I15).

Reads the copies that the runners keep in `engine.checkpoints`; one query serves all requests of a process for a
moment. Turning this into HTTP headers is `reads.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from consumers.engine.positions import Position
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, reading
from schemas.snapshot import Snapshot

#: For how long one look at the checkpoints answers for a read that does not wait.
CACHE_SECONDS: Final = 0.1
#: How often the checkpoints are looked at while somebody waits.
POLL_SECONDS: Final = 0.015

_VIEWS_SQL: Final = """
SELECT consumer, state = 'live', epoch, snapshot::text,
       coalesce(1000 * extract(epoch FROM clock_timestamp() - outbox.oldest_unapplied(snapshot)), 0)::bigint
  FROM engine.checkpoints
"""

# Without the lag, which costs more: for those who wait and look often.
_REACHED_SQL: Final = "SELECT consumer, state = 'live', epoch, snapshot::text, 0 FROM engine.checkpoints"

# A client keeps its last position only: what it wrote before that one must be in the view too, or on its way to it.
_OUTSTANDING_SQL: Final = """
SELECT pg_visible_in_snapshot(%(xid)s::text::xid8, pg_current_snapshot()),
       EXISTS (SELECT FROM engine.checkpoints c
                WHERE c.consumer = %(consumer)s
                  AND (EXISTS (SELECT FROM outbox.events e
                                WHERE e.xid = %(xid)s::text::xid8 AND e.topic = ANY (c.topics))
                       OR EXISTS (SELECT FROM outbox.log_events(
                                      c.snapshot, c.epoch, %(upto)s::text::pg_snapshot, c.topics, 0, 1)))),
       EXISTS (SELECT FROM engine.dead_letters d
                WHERE d.consumer = %(consumer)s AND d.xid = %(xid)s::text::xid8
                  AND d.state IN ('dead', 'waiting', 'retry'))
"""

#: The relay listens: a marker at once, instead of with the next traffic.
_WANT_MARKER_SQL: Final = "SELECT pg_notify('stunity_marker', '')"


@dataclass(frozen=True, slots=True)
class Freshness:
    """One partition of a view, as far as its owner last said."""

    live: bool
    epoch: int
    snapshot: Snapshot
    lag_ms: int


@dataclass(frozen=True, slots=True)
class ViewState:
    """All partitions of a view together; a view without any has never been filled."""

    partitions: tuple[Freshness, ...] = ()

    @property
    def live(self) -> bool:
        """Whether reads may be answered from it."""
        return bool(self.partitions) and all(part.live for part in self.partitions)

    @property
    def lag_ms(self) -> int:
        """Age of the oldest event that is not in the view; 0 when it has everything."""
        return max((part.lag_ms for part in self.partitions), default=0)

    def has(self, position: Position) -> bool:
        """Whether a write is in the view."""
        return bool(self.partitions) and all(
            position.applied_in(p.epoch, p.snapshot) for p in self.partitions
        )


class FreshnessBoard:
    """The state of all views, looked up at most every so often; one per process. PostgreSQL away is Retryable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._views = _Look(pool, _VIEWS_SQL)
        self._reached = _Look(pool, _REACHED_SQL)

    async def state(self, consumer: str) -> ViewState:
        """The state of one view, at most `CACHE_SECONDS` old."""
        return (await self._views.read(CACHE_SECONDS)).get(consumer, ViewState())

    async def wait_for(self, consumer: str, position: Position, seconds: float) -> bool:
        """Wait until the view has a write; False when it does not within `seconds`, or will not at all for now."""
        deadline = monotonic() + seconds
        if (await self.state(consumer)).has(position):
            return True
        outcome = await self._settled_already(consumer, position)
        while outcome is None and monotonic() < deadline:
            view = (await self._reached.read(POLL_SECONDS)).get(consumer, ViewState())
            if view.has(position):
                return True
            await asyncio.sleep(min(POLL_SECONDS, max(deadline - monotonic(), 0)))
        return outcome or False

    async def _settled_already(self, consumer: str, position: Position) -> bool | None:
        """True when the view lacks no event up to this write, False when the write's event is set aside.

        None when the view has to catch up; then a marker has been asked for.
        """
        params = {"consumer": consumer, "xid": str(position.xid), "upto": str(position.upto())}
        async with _connection(self._pool) as conn:
            row = await (await conn.execute(_OUTSTANDING_SQL, params)).fetchone()
            assert row is not None  # a SELECT without FROM always gives one row
            ended, outstanding, parked = row
            if parked:
                return False
            if ended and not outstanding:
                return True
            await conn.execute(_WANT_MARKER_SQL)
        return None


class _Look:
    """One query whose answer serves everybody for a moment."""

    def __init__(self, pool: Pool, query: str) -> None:
        self._pool = pool
        self._query = query
        self._lock = asyncio.Lock()
        self._views: dict[str, ViewState] = {}
        self._asked_at = -1.0

    async def read(self, max_age: float) -> dict[str, ViewState]:
        """All views as they stood at most `max_age` seconds ago."""
        async with self._lock:
            if monotonic() - self._asked_at > max_age:
                asked_at = monotonic()
                self._views = await self._ask()
                self._asked_at = asked_at
        return self._views

    async def _ask(self) -> dict[str, ViewState]:
        async with _connection(self._pool) as conn:
            rows = await (await conn.execute(self._query)).fetchall()
        parts: dict[str, list[Freshness]] = {}
        for consumer, live, epoch, snapshot, lag_ms in rows:
            part = Freshness(live, epoch, Snapshot.parse(snapshot), max(lag_ms, 0))
            parts.setdefault(consumer, []).append(part)
        return {consumer: ViewState(tuple(all_parts)) for consumer, all_parts in parts.items()}


@asynccontextmanager
async def _connection(pool: Pool) -> AsyncIterator[Connection]:
    try:
        async with reading(pool) as conn:
            yield conn
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error
