"""The read side of analytics: numbers of one post or one school from the roll-ups and the facts.

Counts come from the hourly roll-ups; people are counted from the facts of the window, because the unique viewers of
a period are not the sum of its hours. Who may ask is decided in `api.py`; the same numbers from the truth are in
`fallback.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from consumers.analytics.model import PostNumbers, SchoolNumbers
from consumers.analytics.series import Bucket, Window
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "read.sql")


class AnalyticsView:
    """Reads the time-series tables."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def post(self, post_id: str, grid: Window) -> PostNumbers:
        """Numbers of one post.

        Raises:
            Retryable: the analytics database is away.
        """
        params = {"post": post_id, **grid.params()}
        try:
            async with self._pool.connection() as conn:
                return await _post(conn, params, grid)
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error

    async def school(self, school_id: str, grid: Window) -> SchoolNumbers:
        """Numbers of one school.

        Raises:
            Retryable: the analytics database is away.
        """
        params = {"school_id": school_id, **grid.params()}
        try:
            async with self._pool.connection() as conn:
                return SchoolNumbers(
                    await fetch_rows(conn, _SQL["activity"], params),
                    await fetch_rows(conn, _SQL["heat"], params),
                    (await fetch_rows(conn, _SQL["active"], params))[0][0],
                )
        except TRANSIENT as error:
            raise Retryable(f"analytics database: {error}") from error


async def _post(conn: Connection, params: dict[str, object], grid: Window) -> PostNumbers:
    views = _SQL["hourly_views"] if grid.bucket is Bucket.HOUR else _SQL["daily_views"]
    unique, duration = (await fetch_rows(conn, _SQL["whole_window"], params))[0]
    return PostNumbers(
        await fetch_rows(conn, views, params),
        await fetch_rows(conn, _SQL["engagements"], params),
        await fetch_rows(conn, _SQL["sources"], params),
        unique,
        duration,
    )
