"""Community licence: buckets behind the watermark are refreshed as soon as a late fact has touched them.

A continuous aggregate counts what lies before its watermark once and for all, until it is refreshed; what lies behind
it is counted from the facts on every read. Facts mostly come in order and need nothing. The late ones (a phone that was
offline, a replay, a like taken back) would be missing until the policy's next run: the writer asks for the refresh
itself, of no more than the touched span, in which TimescaleDB visits the changed buckets only. What a crash forgets the
policy still does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import psycopg
import structlog

from consumers.analytics.grid import HOUR
from consumers.analytics.layout import Layout
from consumers.analytics.schema import ROLLUPS
from runtime.postgres import Connection, fetch_rows

#: From an hour to before another, in seconds since 1970.
Span = tuple[int, int]

log = structlog.get_logger(__name__)

#: While batch follows batch, refreshes are no more frequent than this (s); an empty batch does not wait.
EVERY: Final = 2.0


class LateBuckets:
    """Touched hours that the continuous aggregates have not been told of."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
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
        if await _refresh(conn, self._layout, self._span):
            self._touched.clear()
        self._last = monotonic()

    def _span(self, name: str, watermark: float) -> Span | None:
        late = [hour for hour in self._touched if hour < watermark]
        if not late:
            return None
        grid = self._layout.grid
        if name.endswith("_daily"):
            return grid.day(min(late)), grid.next_day(grid.day(max(late)))
        return min(late), max(late) + HOUR


async def refresh_days(conn: Connection, layout: Layout, since: int, until: int) -> None:
    """The same for all days from one to another. The connection must not be inside a transaction."""
    await _refresh(conn, layout, lambda _, watermark: (since, until) if since < watermark else None)


async def _refresh(conn: Connection, layout: Layout, span: Callable[[str, float], Span | None]) -> bool:
    """False when it has to be done another time."""
    await conn.set_autocommit(True)
    try:
        for name, watermark in await fetch_rows(conn, layout.statements("store")["watermark"]):
            if name in ROLLUPS and (found := span(name, watermark)) is not None:
                first, last = found[0], min(found[1], int(watermark))
                await conn.execute(
                    "CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)",
                    (f"{layout.schema}.{name}", *(datetime.fromtimestamp(one, UTC) for one in (first, last))),
                )
    except psycopg.Error as error:
        log.warning("refresh_put_off", error=str(error))  # the policy, or the next batch, will do it
        return False
    finally:
        await conn.set_autocommit(False)
    return True
