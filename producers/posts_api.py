"""HTTP of posts: HTTP in, service call, HTTP out. Reading posts is the business of the views in `consumers/`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from producers import posts
from producers.bodies import NewPost, PostChanges
from producers.write_api import ObjectId, changed, created, done
from runtime.auth import CurrentViewer

router = APIRouter(tags=["posts"])


@router.post("/posts", status_code=201)
async def create_post(request: Request, viewer: CurrentViewer, body: NewPost) -> Response:
    """Write a post."""
    return await created(request, viewer, lambda conn: posts.create(conn, viewer, body))


@router.patch("/posts/{post_id}")
async def edit_post(
    request: Request, viewer: CurrentViewer, post_id: ObjectId, body: PostChanges
) -> Response:
    """Change one's own post; fields that are not sent stay."""
    return await changed(request, viewer, lambda conn: posts.edit(conn, viewer, post_id, body))


@router.delete("/posts/{post_id}", status_code=204)
async def delete_post(request: Request, viewer: CurrentViewer, post_id: ObjectId) -> Response:
    """Delete one's own post, with everything attached to it."""
    return await done(request, viewer, lambda conn: posts.delete(conn, viewer, post_id))
