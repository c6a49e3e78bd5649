"""HTTP of likes, comments, bookmarks and views."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from producers import engagement, views
from producers.bodies import NewComment, NewLike, NewView, ViewBatch
from producers.write_api import ObjectId, created, done
from runtime.access import Viewer
from runtime.auth import CurrentViewer
from runtime.postgres import Connection

router = APIRouter(tags=["engagement"])


@router.put("/posts/{post_id}/like", status_code=204)
async def like(
    request: Request, viewer: CurrentViewer, post_id: ObjectId, body: NewLike | None = None
) -> Response:
    """Like a post, or change one's reaction; without a body the reaction is LIKE."""
    reaction = body or NewLike()
    return await done(request, viewer, lambda conn: engagement.like(conn, viewer, post_id, reaction))


@router.delete("/posts/{post_id}/like", status_code=204)
async def unlike(request: Request, viewer: CurrentViewer, post_id: ObjectId) -> Response:
    """Take one's like back."""
    return await done(request, viewer, lambda conn: engagement.unlike(conn, viewer, post_id))


@router.post("/posts/{post_id}/comments", status_code=201)
async def comment(request: Request, viewer: CurrentViewer, post_id: ObjectId, body: NewComment) -> Response:
    """Comment on a post or answer one of its comments."""
    return await created(request, viewer, lambda conn: engagement.comment(conn, viewer, post_id, body))


@router.put("/posts/{post_id}/bookmark", status_code=204)
async def bookmark(request: Request, viewer: CurrentViewer, post_id: ObjectId) -> Response:
    """Keep a post for later."""
    return await done(request, viewer, lambda conn: engagement.bookmark(conn, viewer, post_id))


@router.delete("/posts/{post_id}/bookmark", status_code=204)
async def unbookmark(request: Request, viewer: CurrentViewer, post_id: ObjectId) -> Response:
    """Drop a bookmark."""
    return await done(request, viewer, lambda conn: engagement.unbookmark(conn, viewer, post_id))


@router.post("/posts/{post_id}/views", status_code=201)
async def view(
    request: Request, viewer: CurrentViewer, post_id: ObjectId, body: NewView | None = None
) -> Response:
    """Record a view: one per hour; a later one in the same hour lengthens it."""
    return await created(request, viewer, lambda conn: _view(conn, viewer, post_id, body or NewView()))


async def _view(conn: Connection, viewer: Viewer, post_id: str, seen: NewView) -> dict[str, Any]:
    return {"counted": await views.view(conn, viewer, post_id, seen)}


@router.post("/views/batch", status_code=201)
async def view_batch(request: Request, viewer: CurrentViewer, body: ViewBatch) -> Response:
    """Record up to 50 views; those of posts that the viewer may not see are passed over."""
    return await created(request, viewer, lambda conn: _record(conn, viewer, body))


async def _record(conn: Connection, viewer: Viewer, batch: ViewBatch) -> dict[str, Any]:
    accepted, counted = await views.record(conn, viewer, batch.views)
    return {"accepted": accepted, "counted": counted}
