"""HTTP of what concerns many posts: an author's own insights, and what is trending for whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from consumers.analytics import fallback
from consumers.analytics.chart import bars
from consumers.analytics.insights import AuthorNumbers, author_answer
from consumers.analytics.requests import (
    SVG,
    AnalyticsReader,
    analytics_pool,
    picture,
    school_zone,
    wants_picture,
)
from consumers.analytics.series import Bucket, Period, window
from consumers.analytics.trends import trends_of
from consumers.analytics.view_many import ManyPostsView
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection

router = APIRouter(tags=["analytics"])

#: Many of the best posts may be of other schools: so many candidates are looked at first, then four times as many.
_CANDIDATES: Final = 400
_MOST_CANDIDATES: Final = 100_000


class InsightsPeriod(StrEnum):
    """How far back an author may look."""

    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"


class TrendingPeriod(StrEnum):
    """What counts as now."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


@router.get("/analytics/insights", responses={200: {"content": {SVG: {}}}})
async def insights(
    request: Request, reader: AnalyticsReader, period: InsightsPeriod = InsightsPeriod.MONTH
) -> Any:
    """Views, viewers and engagement of one's own posts, as JSON or (`Accept: image/svg+xml`) as a picture."""
    grid = window(Period(period.value), Bucket.DAY, datetime.now(UTC), school_zone(request))
    author = reader.viewer.id
    try:
        async with reader.pool.connection() as conn:
            posts = await fallback.posts_of(conn, author)
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error
    view = ManyPostsView(analytics_pool(request))

    async def from_truth(conn: Connection) -> AuthorNumbers:
        return await fallback.author(conn, author, grid)

    numbers = await reader.answer(lambda: view.author([post.id for post in posts], grid), from_truth)
    answer = author_answer(grid, posts, numbers)
    if wants_picture(request):
        return picture(reader, bars(f"Views of your posts, {period.value}", answer["series"], "views"))
    return {"data": answer}


@router.get("/analytics/trending")
async def trending(
    request: Request,
    reader: AnalyticsReader,
    period: TrendingPeriod = TrendingPeriod.DAY,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> dict[str, Any]:
    """Posts by views + 3 likes + 5 comments + 2 bookmarks within the period, of those that the viewer may see."""
    bucket = Bucket.HOUR if period is TrendingPeriod.DAY else Bucket.DAY
    grid = window(Period(period.value), bucket, datetime.now(UTC), school_zone(request))
    scope = reader.scope
    sums = trends_of(request)

    async def from_view() -> list[dict[str, Any]]:
        most = _CANDIDATES
        while True:
            trends = await sums.best(grid, most, anew=reader.waits)
            async with reader.pool.connection() as conn:
                seen = await fallback.visible(conn, scope, trends)
            if len(seen) >= limit or len(trends) < most or most >= _MOST_CANDIDATES:
                return seen[:limit]
            most *= 4

    async def from_truth(conn: Connection) -> list[dict[str, Any]]:
        return await fallback.trending(conn, scope, grid, limit)

    return {"data": await reader.answer(from_view, from_truth)}
