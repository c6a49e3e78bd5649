"""Community licence: buckets behind the watermark are refreshed as soon as a late fact has touched them.

A continuous aggregate counts what lies before its watermark once and for all, until it is refreshed; what lies behind
it is counted from the facts on every read. Facts mostly come in order and need nothing. The late ones (a phone that was
offline, a replay, a like taken back) would be missing until the policy's next run: the writer asks for the refresh
itself, of no more than the touched span, in which TimescaleDB visits the changed buckets only. What a crash forgets the
policy still does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import psycopg
import structlog

from consumers.analytics.grid import HOUR
from consumers.analytics.layout import Layout
from consumers.analytics.schema import ROLLUPS
from runtime.postgres import Connection, fetch_rows

log = structlog.get_logger(__name__)

#: While batch follows batch, refreshes are no more frequent than this (s); an empty batch does not wait.
EVERY: Final = 2.0


class LateBuckets:
    """Touched hours that the continuous aggregates have not been told of."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._watermarks = layout.statements("store")["watermark"]
        self._touched: set[int] = set()
        self._last = -EVERY

    def touch(self, hours: Iterable[int]) -> None:
        """These hours have changed."""
        self._touched.update(hours)

    def due(self, *, idle: bool) -> bool:
        """Whether it is time; `idle`: no batch follows at once."""
        return bool(self._touched) and (idle or monotonic() - self._last > EVERY)

    async def refresh(self, conn: Connection) -> None:
        """Refresh what lies behind the watermarks. The connection must not be inside a transaction."""
        await conn.set_autocommit(True)
        try:
            for name, watermark in await fetch_rows(conn, self._watermarks):
                if name in ROLLUPS:
                    await self._refresh_one(conn, name, watermark)
            self._touched.clear()
        except psycopg.Error as error:
            log.warning("refresh_put_off", error=str(error))  # the policy, or the next batch, will do it
        finally:
            self._last = monotonic()
            await conn.set_autocommit(False)

    async def _refresh_one(self, conn: Connection, name: str, watermark: float) -> None:
        late = [hour for hour in self._touched if hour < watermark]
        if not late:
            return
        grid = self._layout.grid
        if name.endswith("_daily"):
            first, last = grid.day(min(late)), grid.next_day(grid.day(max(late)))
        else:
            first, last = min(late), max(late) + HOUR
        span = [datetime.fromtimestamp(one, UTC) for one in (first, min(last, int(watermark)))]
        await conn.execute(
            "CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)",
            (f"{self._layout.schema}.{name}", *span),
        )
