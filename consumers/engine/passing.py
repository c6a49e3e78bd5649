"""Waiting until a view has applied everything that is committed now: what makes a second look conclusive.

A position alone is not enough for numbers that are counted after the fact: likes of a post are told by the scheduler's
counting chore, so that has to have had its turn first, as far as somebody runs it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final

from consumers.engine.positions import covers
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool
from schemas.snapshot import Snapshot

POLL_SECONDS: Final = 0.05
#: How often the relay is asked for a marker while somebody waits.
_ASK_SECONDS: Final = 1.0
#: A view that nobody has owned for so long is not waited for.
_TAKEOVER_SECONDS: Final = 5.0
#: A chore that has been due for so long is not run by anybody.
_CHORE_IS_DEAD: Final = "30 seconds"

_NOW_SQL: Final = "SELECT clock_timestamp()"
_HEAD_SQL: Final = "SELECT outbox.current_epoch(), pg_current_snapshot()::text"
_WANT_MARKER_SQL: Final = "SELECT pg_notify('stunity_marker', '')"
_VIEW_SQL: Final = """
SELECT c.state = 'live', c.epoch, c.snapshot::text,
       coalesce(l.owner IS NOT NULL AND l.expires_at > clock_timestamp(), false)
  FROM engine.checkpoints c LEFT JOIN engine.leases l USING (consumer, partition) WHERE c.consumer = %s
"""
# No row: nobody counts, or has counted since.
_COUNTING_SQL: Final = f"""
SELECT FROM outbox.jobs
 WHERE name = 'counters' AND due_at > clock_timestamp() - interval '{_CHORE_IS_DEAD}'
   AND (started_at IS NULL OR started_at <= %(since)s OR finished_at IS NULL OR finished_at < started_at)
"""


@dataclass(frozen=True, slots=True)
class Passing:
    """Whether, and when, one consumer's view has passed what was committed before the call."""

    pool: Pool
    consumer: str
    patience: float = 30.0
    counted: bool = False

    async def __call__(self) -> bool:
        """Wait; False when the view has not passed within the patience.

        Raises:
            Retryable: PostgreSQL is away.
        """
        deadline = monotonic() + self.patience
        try:
            if self.counted:
                await self._until_counted(deadline)
            async with self.pool.connection() as conn:
                epoch, snapshot = await _row(conn, _HEAD_SQL)
            return await self._until_passed(epoch, Snapshot.parse(snapshot), deadline)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error

    async def _until_counted(self, deadline: float) -> None:
        async with self.pool.connection() as conn:
            since: datetime = (await _row(conn, _NOW_SQL))[0]
        while monotonic() < deadline:
            async with self.pool.connection() as conn:
                if await (await conn.execute(_COUNTING_SQL, {"since": since})).fetchone() is None:
                    return
            await asyncio.sleep(POLL_SECONDS)

    async def _until_passed(self, epoch: int, snapshot: Snapshot, deadline: float) -> bool:
        asked = -_ASK_SECONDS
        abandoned_at = monotonic() + _TAKEOVER_SECONDS
        while True:
            async with self.pool.connection() as conn:
                parts = await (await conn.execute(_VIEW_SQL, (self.consumer,))).fetchall()
                if parts and all(_has(part, epoch, snapshot) for part in parts):
                    return True
                if monotonic() - asked > _ASK_SECONDS:
                    asked = monotonic()
                    await conn.execute(_WANT_MARKER_SQL)
            if parts and all(part[3] for part in parts):
                abandoned_at = monotonic() + _TAKEOVER_SECONDS
            if monotonic() > min(deadline, abandoned_at):
                return False
            await asyncio.sleep(POLL_SECONDS)


def _has(part: tuple[bool, int, str, bool], epoch: int, snapshot: Snapshot) -> bool:
    live, reached_epoch, reached, _ = part
    return live and reached_epoch >= epoch and covers(Snapshot.parse(reached), snapshot)


async def _row(conn: Connection, query: str) -> tuple[Any, ...]:
    row = await (await conn.execute(query)).fetchone()
    assert row is not None  # a SELECT without FROM always gives one row
    return row
