"""HTTP of analytics: who may ask, then the view's numbers or PostgreSQL's. Numbers are made in `model.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response

from consumers.analytics import fallback
from consumers.analytics.chart import bars
from consumers.analytics.model import PostNumbers, SchoolNumbers, post_answer, school_answer
from consumers.analytics.series import Bucket, Period, window
from consumers.analytics.view import AnalyticsView
from consumers.engine.reads import Reader, reader
from runtime.access import POST_VISIBLE, STAFF, Viewer
from runtime.errors import Retryable
from runtime.http import Problem, Text
from runtime.postgres import TRANSIENT, Connection

router = APIRouter(tags=["analytics"])

AnalyticsReader = Annotated[Reader, Depends(reader("analytics", "timescale", timeout=2.0))]
Id = Annotated[Text, Path(max_length=200)]

_SVG: Final = "image/svg+xml"
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


@router.get("/posts/{post_id}/analytics", responses={200: {"content": {_SVG: {}}}})
async def post_analytics(
    request: Request,
    reader: AnalyticsReader,
    post_id: Id,
    period: Period = Period.WEEK,
    bucket: Bucket | None = None,
) -> Any:
    """Views, unique viewers and engagement of one post, as JSON or (`Accept: image/svg+xml`) as a picture."""
    await _require_post_access(reader, post_id)
    grid = window(period, bucket or _natural(period), datetime.now(UTC))
    view = _view(request)

    async def from_truth(conn: Connection) -> PostNumbers:
        return await fallback.post(conn, post_id, grid)

    numbers = await reader.answer(lambda: view.post(post_id, grid), from_truth)
    answer = post_answer(post_id, grid, numbers)
    if _SVG in request.headers.get("accept", ""):
        picture = bars(f"Views, {period.value}", answer["series"], "views")
        return Response(picture, media_type=_SVG, headers=reader.headers)
    return {"data": answer}


@router.get("/schools/{school_id}/activity")
async def school_activity(
    request: Request, reader: AnalyticsReader, school_id: Id, period: Period = Period.WEEK
) -> dict[str, Any]:
    """What a school's members did: series, totals and an hourly heat map, for the school's own staff."""
    if not may_see_school(reader.viewer, school_id):
        raise Problem(403, detail="Only the school's staff may see its activity.")
    grid = window(period, _natural(period), datetime.now(UTC))
    view = _view(request)

    async def from_truth(conn: Connection) -> SchoolNumbers:
        return await fallback.school(conn, school_id, grid)

    numbers = await reader.answer(lambda: view.school(school_id, grid), from_truth)
    return {"data": school_answer(school_id, grid, numbers)}


def _natural(period: Period) -> Bucket:
    return Bucket.HOUR if period is Period.DAY else Bucket.DAY


def _view(request: Request) -> AnalyticsView:
    state = request.app.state
    return AnalyticsView(getattr(state, "analytics_pool", None) or state.pool)


async def _require_post_access(reader: Reader, post_id: str) -> None:
    """404 for a post that the viewer may not see, 403 for one whose numbers are not theirs."""
    scope = await reader.scope()
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
