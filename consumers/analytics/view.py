"""The read side of analytics: numbers of one post or one school from the roll-ups and the sets of people.

What a query costs depends on the window's days and hours, not on how many facts there are in it or before it. Who may
ask is decided in `api.py`; the same numbers from the truth are in `fallback.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from pyroaring import BitMap

from consumers.analytics.facts import SOURCES
from consumers.analytics.grid import HOUR, grid_of
from consumers.analytics.layout import Layout
from consumers.analytics.model import PostNumbers, SchoolNumbers
from consumers.analytics.people import DayOfPeople
from consumers.analytics.series import Bucket, Window
from consumers.engine.reads import Unanswered
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_rows


class AnalyticsView:
    """Reads the time-series tables."""

    def __init__(self, pool: Pool, layout: Layout | None = None) -> None:
        self._pool = pool
        self._sql = (layout or Layout()).statements("read")

    async def post(self, post_id: str, grid: Window) -> PostNumbers:
        """Numbers of one post.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        params = {"post": post_id, **grid.params()}
        statement = "hourly_views" if grid.bucket is Bucket.HOUR else "daily_views"
        try:
            async with self._pool.connection() as conn:
                await require_zone(conn, self._sql, grid)
                rows = await fetch_rows(conn, self._sql[statement], params)
                engagements = await fetch_rows(conn, self._sql["engagements"], params)
                people = await self._people(conn, "post", post_id, grid)
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        return _post_numbers(rows, engagements, len(people))

    async def school(self, school_id: str, grid: Window) -> SchoolNumbers:
        """Numbers of one school.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        params = {"school_id": school_id, **grid.params()}
        try:
            async with self._pool.connection() as conn:
                await require_zone(conn, self._sql, grid)
                return SchoolNumbers(
                    await fetch_rows(conn, self._sql["activity"], params),
                    await fetch_rows(conn, self._sql["heat"], params),
                    len(await self._people(conn, "school", school_id, grid)),
                )
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error

    async def _people(self, conn: Connection, owner: str, owner_id: str, grid: Window) -> BitMap:
        """Who is in the window: whole days by their sets, days in which it begins or ends by their hours."""
        days = grid_of(grid.zone)
        since, until = int(grid.since.timestamp()), int(grid.until.timestamp())
        first, last = days.day(since), days.day(until - HOUR)
        edges = {
            day for day, whole in ((first, first == since), (last, days.next_day(last) == until)) if not whole
        }
        params: dict[str, Any] = {
            "owner": owner_id,
            "first": datetime.fromtimestamp(first, UTC),
            "until": grid.until,
            "edges": [datetime.fromtimestamp(day, UTC) for day in edges],
        }
        cursor = await conn.execute(self._sql[f"{owner}_people"], params, binary=True)
        found = [
            _within(day, people, by_hour, since, until) for day, people, by_hour in await cursor.fetchall()
        ]
        return BitMap.union(*found) if found else BitMap()


async def require_zone(conn: Connection, statements: Mapping[str, str], grid: Window) -> None:
    """Raises Unanswered when there are no tables, or when their days are not those of the window."""
    try:
        rows = await fetch_rows(conn, statements["zone"])
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise Unanswered(f"there are no analytics tables: {error}") from error
    if rows != [(grid.zone.key,)]:
        raise Unanswered(f"the roll-ups are not of {grid.zone.key}")


def _within(day: int, people: bytes | None, by_hour: bytes | None, since: int, until: int) -> BitMap:
    if people is not None:
        return BitMap.deserialize(people)
    return DayOfPeople(by_hour=by_hour).between((since - day) // HOUR, (until - day) // HOUR)


def _post_numbers(
    rows: Iterable[tuple[Any, ...]], engagements: list[tuple[Any, ...]], people: int
) -> PostNumbers:
    numbers = PostNumbers(engagements=engagements, unique_viewers=people)
    seconds = timed = 0
    sources = [0] * len(SOURCES)
    for start, views, unique, duration_sum, duration_count, *by_source in rows:
        numbers.views.append((start, views, unique))
        seconds += duration_sum
        timed += duration_count
        sources = [a + b for a, b in zip(sources, by_source, strict=True)]
    numbers.sources = [(name, count) for name, count in zip(SOURCES, sources, strict=True) if count]
    numbers.average_duration_s = round(seconds / timed, 2) if timed else None
    return numbers
