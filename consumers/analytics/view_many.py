"""The read side for many posts at once: an author's, and those that trend. One post's numbers are `view.py`'s."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from pyroaring import BitMap

from consumers.analytics.insights import AuthorNumbers, Trend
from consumers.analytics.layout import Layout
from consumers.analytics.series import Bucket, Window
from consumers.analytics.view import require_zone
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_rows

K = TypeVar("K", bound=Hashable)


class ManyPostsView:
    """Reads the roll-ups across posts."""

    def __init__(self, pool: Pool, layout: Layout | None = None) -> None:
        self._pool = pool
        sql = (layout or Layout()).statements("read")
        self._sql = {name: text.replace("{trending}", sql["trending_tail"]) for name, text in sql.items()}

    async def author(self, posts: Sequence[str], grid: Window) -> AuthorNumbers:
        """Numbers of these posts per day.

        Raises:
            Retryable: the analytics database is away.
            Unanswered: the roll-ups keep the days of another zone.
        """
        params = {"posts": list(posts), **grid.params()}
        try:
            async with self._pool.connection() as conn:
                await require_zone(conn, self._sql, grid)
                views = await fetch_rows(conn, self._sql["views_of_posts"], params)
                engagements = await fetch_rows(conn, self._sql["engagements_of_posts"], params)
                cursor = await conn.execute(self._sql["people_of_posts"], params, binary=True)
                sets = [(day, post, BitMap.deserialize(raw)) for day, post, raw in await cursor.fetchall()]
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
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
        statement = "trending_by_hour" if grid.bucket is Bucket.HOUR else "trending_by_day"
        try:
            async with self._pool.connection() as conn:
                await require_zone(conn, self._sql, grid)
                rows = await fetch_rows(conn, self._sql[statement], {"most": most, **grid.params()})
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error
        return [Trend(*row) for row in rows]


def _sizes(sets: Iterable[tuple[K, BitMap]]) -> dict[K, int]:
    merged: defaultdict[K, BitMap] = defaultdict(BitMap)
    for key, people in sets:
        merged[key] |= people
    return {key: len(people) for key, people in merged.items()}
