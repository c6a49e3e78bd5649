"""HTTP of analytics: who may ask, then the view's numbers or PostgreSQL's. Numbers are made in `model.py`.

Posts and schools are here; an author's insights and what is trending in `insights_api.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request

from consumers.analytics import fallback, insights_api
from consumers.analytics.chart import bars, heat_map
from consumers.analytics.model import PostNumbers, SchoolNumbers, post_answer, school_answer
from consumers.analytics.requests import (
    SVG,
    AnalyticsReader,
    Id,
    analytics_pool,
    picture,
    school_zone,
    wants_picture,
)
from consumers.analytics.series import Bucket, Period, window
from consumers.analytics.view import AnalyticsView
from consumers.engine.reads import Reader
from runtime.access import POST_VISIBLE, STAFF, Viewer
from runtime.errors import Retryable
from runtime.http import Problem
from runtime.postgres import TRANSIENT, Connection

router = APIRouter(tags=["analytics"])
router.include_router(insights_api.router)

_POST: Final = (
    'SELECT p."authorId", p."schoolId", '  # noqa: S608 - put together from constants of ours
    + POST_VISIBLE
    + ' FROM posts p JOIN users a ON a.id = p."authorId" WHERE p.id = %(post)s'
)
_HEADS: Final = frozenset({"ADMIN", "PRINCIPAL", "VICE_PRINCIPAL"})


def may_see_post_numbers(viewer: Viewer, author_id: str, school_id: str | None) -> bool:
    """The author; the heads of the post's school; the platform's super admin."""
    same_school = school_id is not None and viewer.school_id == school_id
    return viewer.id == author_id or viewer.role == "SUPER_ADMIN" or (viewer.role in _HEADS and same_school)


def may_see_school(viewer: Viewer, school_id: str) -> bool:
    """The school's own staff; the platform's super admin."""
    return viewer.role == "SUPER_ADMIN" or (viewer.role in STAFF and viewer.school_id == school_id)


@router.get("/posts/{post_id}/analytics", responses={200: {"content": {SVG: {}}}})
async def post_analytics(
    request: Request,
    reader: AnalyticsReader,
    post_id: Id,
    period: Period = Period.WEEK,
    bucket: Bucket | None = None,
) -> Any:
    """Views, unique viewers and engagement of one post, as JSON or (`Accept: image/svg+xml`) as a picture."""
    await _require_post_access(reader, post_id)
    grid = window(period, bucket or _natural(period), datetime.now(UTC), school_zone(request))
    view = AnalyticsView(analytics_pool(request))

    async def from_truth(conn: Connection) -> PostNumbers:
        return await fallback.post(conn, post_id, grid)

    numbers = await reader.answer(lambda: view.post(post_id, grid), from_truth)
    answer = post_answer(post_id, grid, numbers)
    if wants_picture(request):
        return picture(reader, bars(f"Views, {period.value}", answer["series"], "views"))
    return {"data": answer}


@router.get("/schools/{school_id}/activity", responses={200: {"content": {SVG: {}}}})
async def school_activity(
    request: Request,
    reader: AnalyticsReader,
    school_id: Id,
    period: Period = Period.WEEK,
    bucket: Bucket | None = None,
) -> Any:
    """What a school's members did: series, totals and an hourly heat map, for the school's own staff."""
    answer = await _school(request, reader, school_id, period, bucket)
    if wants_picture(request):
        return picture(reader, bars(f"Activity, {period.value}", answer["series"], "all"))
    return {"data": answer}


@router.get("/schools/{school_id}/activity/heatmap", responses={200: {"content": {SVG: {}}}})
async def school_heat_map(
    request: Request, reader: AnalyticsReader, school_id: Id, period: Period = Period.MONTH
) -> Any:
    """When a school's members are active: weekdays by hours of the school's clock, for the school's own staff."""
    answer = await _school(request, reader, school_id, period, Bucket.DAY)
    if wants_picture(request):
        return picture(reader, heat_map(f"Activity by hour, {period.value}", answer["heatMap"]))
    return {"data": {name: answer[name] for name in ("schoolId", "period", "timeZone", "heatMap")}}


async def _school(
    request: Request, reader: Reader, school_id: str, period: Period, bucket: Bucket | None
) -> dict[str, Any]:
    if not may_see_school(reader.viewer, school_id):
        raise Problem(403, detail="Only the school's staff may see its activity.")
    grid = window(period, bucket or _natural(period), datetime.now(UTC), school_zone(request))
    view = AnalyticsView(analytics_pool(request))

    async def from_truth(conn: Connection) -> SchoolNumbers:
        return await fallback.school(conn, school_id, grid)

    numbers = await reader.answer(lambda: view.school(school_id, grid), from_truth)
    return school_answer(school_id, grid, numbers)


def _natural(period: Period) -> Bucket:
    return Bucket.HOUR if period is Period.DAY else Bucket.DAY


async def _require_post_access(reader: Reader, post_id: str) -> None:
    """404 for a post that the viewer may not see, 403 for one whose numbers are not theirs."""
    scope = reader.scope
    try:
        async with reader.pool.connection() as conn:
            row = await (await conn.execute(_POST, {"post": post_id, **scope.params()})).fetchone()
    except TRANSIENT as error:
        raise Retryable(f"PostgreSQL is away: {error}") from error
    if row is None:
        raise Problem(404, detail="There is no such post.")
    author_id, school_id, visible = row
    if may_see_post_numbers(reader.viewer, author_id, school_id):
        return
    raise Problem(
        403 if visible else 404, detail=None if not visible else "Only the author and the school's heads may."
    )
