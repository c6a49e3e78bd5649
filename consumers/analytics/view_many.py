"""The read side for many posts at once: an author's, and those that trend. One post's numbers are `view.py`'s."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from pyroaring import BitMap

from consumers.analytics.grid import grid_of
from consumers.analytics.insights import AuthorNumbers, Trend
from consumers.analytics.layout import Layout
from consumers.analytics.quiet import QuietDays, Span, spans_between
from consumers.analytics.schema import Kind
from consumers.analytics.series import Bucket, Window
from consumers.analytics.view import Reading
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_rows

K = TypeVar("K", bound=Hashable)


class ManyPostsView:
    """Reads the roll-ups across posts."""

    def __init__(self, pool: Pool, layout: Layout | None = None) -> None:
        self._pool = pool
        self._sql = Reading(layout or Layout())
        self._quiet = QuietDays(layout or Layout())

    async def author(self, posts: Sequence[str], grid: Window) -> AuthorNumbers:
        """Numbers of these posts per day.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        params = {"posts": list(posts), **grid.params()}
        try:
            async with self._pool.connection() as conn, conn.transaction():  # see `AnalyticsView`
                sql, kind = await self._sql.of(conn, grid)
                cursor = await conn.execute(sql["people_of_posts"], params, binary=True)
                sets = [(day, post, BitMap.deserialize(raw)) for day, post, raw in await cursor.fetchall()]
                views = await fetch_rows(conn, sql["views_of_posts"], params)
                engagements = await fetch_rows(conn, sql["engagements_of_posts"], params)
                quiet = await self._quiet.count(conn, _spans(posts, grid, sets), Bucket.DAY)
                names = frozenset[str]().union(*(bucket.people for bucket in quiet))
                number = await self._quiet.numbers(conn, names)
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        if kind != Kind.COMMUNITY:  # whose continuous aggregates have the quiet days as well
            busy = {(day, post) for day, post, _ in sets}
            views = [row for row in views if row[:2] in busy]
            views += [(bucket.start, bucket.post, bucket.views) for bucket in quiet]
        sets += [(one.start, one.post, BitMap([number[user] for user in one.people])) for one in quiet]
        by_day: dict[datetime, int] = _sizes((day, people) for day, _, people in sets)
        by_post: dict[str, int] = _sizes((post, people) for _, post, people in sets)
        everybody = BitMap.union(*(people for _, _, people in sets)) if sets else BitMap()
        return AuthorNumbers(views, engagements, by_day, by_post, len(everybody))

    async def trending(self, grid: Window, most: int) -> list[Trend]:
        """The posts with the highest scores, whoever may see them.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        try:
            async with self._pool.connection() as conn:
                sql, kind = await self._sql.of(conn, grid)
                name = grid.bucket.value if kind == Kind.COMMUNITY else "kept"
                statement = sql[f"trending_{name}"].replace("{trending}", sql["trending_tail"])
                rows = await fetch_rows(conn, statement, {"most": most, **grid.params()})
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        return [Trend(*row) for row in rows]


def _spans(posts: Sequence[str], grid: Window, sets: Iterable[tuple[datetime, str, BitMap]]) -> list[Span]:
    """What is not busy of these posts' window."""
    busy = defaultdict[str, set[int]](set)
    for day, post, _ in sets:
        busy[post].add(int(day.timestamp()))
    days = grid_of(grid.zone)
    return [(post, *span) for post in posts for span in spans_between(days, grid, busy[post])]


def _sizes(sets: Iterable[tuple[K, BitMap]]) -> dict[K, int]:
    merged: defaultdict[K, BitMap] = defaultdict(BitMap)
    for key, people in sets:
        merged[key] |= people
    return {key: len(people) for key, people in merged.items()}
