"""HTTP of follows and blocks."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from producers import social
from producers.write_api import ObjectId, done
from runtime.auth import CurrentViewer

router = APIRouter(tags=["people"])


@router.put("/users/{user_id}/follow", status_code=204)
async def follow(request: Request, viewer: CurrentViewer, user_id: ObjectId) -> Response:
    """Follow a person."""
    return await done(request, viewer, lambda conn: social.follow(conn, viewer, user_id))


@router.delete("/users/{user_id}/follow", status_code=204)
async def unfollow(request: Request, viewer: CurrentViewer, user_id: ObjectId) -> Response:
    """Stop following a person."""
    return await done(request, viewer, lambda conn: social.unfollow(conn, viewer, user_id))


@router.put("/users/{user_id}/block", status_code=204)
async def block(request: Request, viewer: CurrentViewer, user_id: ObjectId) -> Response:
    """Block a person: from now on neither sees the other."""
    return await done(request, viewer, lambda conn: social.block(conn, viewer, user_id))


@router.delete("/users/{user_id}/block", status_code=204)
async def unblock(request: Request, viewer: CurrentViewer, user_id: ObjectId) -> Response:
    """Lift one's own block."""
    return await done(request, viewer, lambda conn: social.unblock(conn, viewer, user_id))
