"""The read side of analytics: numbers of one post or one school from the roll-ups and the sets of people.

What a query costs depends on the window's days and hours, not on how many facts there are in it or before it: days with
many are read from their sums and sets, the others (`quiet.py`) have few. The statements of an answer are a transaction:
the lock on `made` keeps a rebuild from exchanging the tables between them (`rebuild.py`). Who may ask is decided in
`api.py`; the same numbers from the truth are in `fallback.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range
from pyroaring import BitMap

from consumers.analytics.facts import SOURCES
from consumers.analytics.grid import HOUR, grid_of
from consumers.analytics.layout import Layout
from consumers.analytics.model import PostNumbers, SchoolNumbers
from consumers.analytics.people import DayOfPeople
from consumers.analytics.quiet import QuietBucket, QuietDays, spans_between
from consumers.analytics.schema import Kind
from consumers.analytics.series import Window
from consumers.engine.reads import Unanswered
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_rows


class Views(NamedTuple):
    """Buckets (start, views, people), and over all of them: seconds, views that told their length, views by source."""

    buckets: list[tuple[datetime, int, int]]
    sums: Sequence[int]


#: Where each kind has the sums of days with many views, by hour and by day.
_SUMS: Final = {
    Kind.COMMUNITY: ("post_views_hourly", "post_views_daily"),
    Kind.APACHE: ("busy_hours", "busy_days"),
    Kind.ABSENT: ("busy_hours", "busy_days"),
}


class AnalyticsView:
    """Reads the time-series tables."""

    def __init__(self, pool: Pool, layout: Layout | None = None) -> None:
        self._pool = pool
        self._sql = Reading(layout or Layout())
        self._quiet = QuietDays(layout or Layout())

    async def post(self, post_id: str, grid: Window) -> PostNumbers:
        """Numbers of one post.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        params = {"post": post_id, **grid.params()}
        days = grid_of(grid.zone)
        try:
            async with self._pool.connection() as conn, conn.transaction():
                sql, kind = await self._sql.of(conn, grid)
                sets = await self._sets(conn, sql["post_people"], post_id, grid)
                spans = spans_between(days, grid, sets)
                quiet = await self._quiet.count(conn, [(post_id, *span) for span in spans], grid.bucket)
                if kind == Kind.COMMUNITY:  # whose continuous aggregates have the quiet days as well
                    counted, elsewhere = [], Multirange[datetime]()
                else:
                    counted, elsewhere = quiet, _as_ranges(spans)
                views = await self._views(conn, sql, grid, {**params, "quiet": elsewhere})
                engagements = await fetch_rows(conn, sql["engagements"], params, prepare=True)
                names = frozenset[str]().union(*(bucket.people for bucket in quiet))
                people = await self._quiet.union(conn, list(sets.values()), names)
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        return _post_numbers(views, counted, engagements, people)

    async def school(self, school_id: str, grid: Window) -> SchoolNumbers:
        """Numbers of one school.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        params = {"school_id": school_id, **grid.params()}
        try:
            async with self._pool.connection() as conn:
                sql, _ = await self._sql.of(conn, grid)
                sets = await self._sets(conn, sql["school_people"], school_id, grid)
                return SchoolNumbers(
                    await fetch_rows(conn, sql["activity"], params),
                    await fetch_rows(conn, sql["heat"], params),
                    len(BitMap.union(*sets.values())) if sets else 0,
                )
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error

    async def _views(
        self, conn: Connection, sql: Mapping[str, str], grid: Window, params: Mapping[str, Any]
    ) -> Views:
        cursor = await conn.execute(sql[f"views_{grid.bucket.value}"], params, binary=True, prepare=True)
        [(starts, views, uniques, *sums)] = await cursor.fetchall()
        buckets = list(zip(starts or (), views or (), uniques or (), strict=True))
        return Views(buckets, [total or 0 for total in sums])

    async def _sets(self, conn: Connection, statement: str, owner: str, grid: Window) -> dict[int, BitMap]:
        """Who is in the window: whole days by their sets, days in which it begins or ends by their hours."""
        days = grid_of(grid.zone)
        since, until = int(grid.since.timestamp()), int(grid.until.timestamp())
        first, last = days.day(since), days.day(until - HOUR)
        edges = {
            day for day, whole in ((first, first == since), (last, days.next_day(last) == until)) if not whole
        }
        params: dict[str, Any] = {
            "owner": owner,
            "first": datetime.fromtimestamp(first, UTC),
            "until": grid.until,
            "edges": [datetime.fromtimestamp(day, UTC) for day in edges],
        }
        cursor = await conn.execute(statement, params, binary=True, prepare=True)
        rows = await cursor.fetchall()
        return {day: _within(day, people, by_hour, since, until) for day, people, by_hour in rows}


class Reading:
    """The statements of one generation, as its kind reads."""

    def __init__(self, layout: Layout) -> None:
        statements = layout.statements("read")
        self._made = statements["made"]
        self._statements = {
            kind: {
                name: text.replace("{hours}", hours).replace("{days}", days)
                for name, text in statements.items()
            }
            for kind, (hours, days) in _SUMS.items()
        }

    async def of(self, conn: Connection, grid: Window) -> tuple[Mapping[str, str], Kind]:
        """What to ask.

        Raises:
            Unanswered: there are no tables, or their days are not those of the window.
        """
        try:
            [(zone, kind)] = await fetch_rows(conn, self._made, prepare=True)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, ValueError) as error:
            raise Unanswered(f"there are no analytics tables: {error}") from error
        if zone != grid.zone.key:
            raise Unanswered(f"the roll-ups are not of {grid.zone.key}")
        return self._statements[Kind(kind)], Kind(kind)


def _within(day: int, people: bytes | None, by_hour: bytes | None, since: int, until: int) -> BitMap:
    if people is not None:
        return BitMap.deserialize(people)
    return DayOfPeople(by_hour=by_hour).between((since - day) // HOUR, (until - day) // HOUR)


def _as_ranges(spans: Iterable[tuple[int, int]]) -> Multirange[datetime]:
    moment = datetime.fromtimestamp
    return Multirange(Range(moment(begin, UTC), moment(end, UTC)) for begin, end in spans)


def _post_numbers(
    busy: Views, quiet: Sequence[QuietBucket], engagements: list[tuple[Any, ...]], people: int
) -> PostNumbers:
    numbers = PostNumbers(engagements=engagements, unique_viewers=people)
    numbers.views = [*busy.buckets, *((bucket.start, bucket.views, len(bucket.people)) for bucket in quiet)]
    sums = [busy.sums, *((bucket.seconds, bucket.timed, *bucket.by_source) for bucket in quiet)]
    seconds, timed, *by_source = map(sum, zip(*sums, strict=True))
    numbers.sources = [(name, count) for name, count in zip(SOURCES, by_source, strict=True) if count]
    if timed:
        numbers.average_duration_s = round(seconds / timed, 2)
    return numbers
