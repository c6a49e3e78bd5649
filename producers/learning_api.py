"""HTTP of clubs and courses, and of joining them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from producers import clubs, courses
from producers.bodies import ClubChanges, CourseChanges, NewClub, NewCourse
from producers.write_api import ObjectId, changed, created, done
from runtime.access import Viewer
from runtime.auth import CurrentViewer
from runtime.postgres import Connection

router = APIRouter(tags=["learning"])


@router.post("/clubs", status_code=201)
async def create_club(request: Request, viewer: CurrentViewer, body: NewClub) -> Response:
    """Found a club in one's own school, or one that is open to all schools."""
    return await created(request, viewer, lambda conn: clubs.create(conn, viewer, body))


@router.patch("/clubs/{club_id}")
async def edit_club(
    request: Request, viewer: CurrentViewer, club_id: ObjectId, body: ClubChanges
) -> Response:
    """Change a club that one owns."""
    return await changed(request, viewer, lambda conn: clubs.edit(conn, viewer, club_id, body))


@router.delete("/clubs/{club_id}", status_code=204)
async def close_club(request: Request, viewer: CurrentViewer, club_id: ObjectId) -> Response:
    """Close a club that one owns."""
    return await done(request, viewer, lambda conn: clubs.close(conn, viewer, club_id))


@router.put("/clubs/{club_id}/membership")
async def join_club(request: Request, viewer: CurrentViewer, club_id: ObjectId) -> Response:
    """Join a club; `active` is false while an owner has to approve."""
    return await changed(request, viewer, lambda conn: _join(conn, viewer, club_id))


async def _join(conn: Connection, viewer: Viewer, club_id: str) -> dict[str, bool]:
    return {"active": await clubs.join(conn, viewer, club_id)}


@router.delete("/clubs/{club_id}/membership", status_code=204)
async def leave_club(request: Request, viewer: CurrentViewer, club_id: ObjectId) -> Response:
    """Leave a club, or take back a request to join."""
    return await done(request, viewer, lambda conn: clubs.leave(conn, viewer, club_id))


@router.post("/courses", status_code=201)
async def create_course(request: Request, viewer: CurrentViewer, body: NewCourse) -> Response:
    """Add a course, as a draft or published."""
    return await created(request, viewer, lambda conn: courses.create(conn, viewer, body))


@router.patch("/courses/{course_id}")
async def edit_course(
    request: Request, viewer: CurrentViewer, course_id: ObjectId, body: CourseChanges
) -> Response:
    """Change a course that one teaches."""
    return await changed(request, viewer, lambda conn: courses.edit(conn, viewer, course_id, body))


@router.delete("/courses/{course_id}", status_code=204)
async def delete_course(request: Request, viewer: CurrentViewer, course_id: ObjectId) -> Response:
    """Remove a course that one teaches."""
    return await done(request, viewer, lambda conn: courses.delete(conn, viewer, course_id))


@router.put("/courses/{course_id}/enrollment", status_code=204)
async def enrol(request: Request, viewer: CurrentViewer, course_id: ObjectId) -> Response:
    """Enrol in a course."""
    return await done(request, viewer, lambda conn: courses.enrol(conn, viewer, course_id))
