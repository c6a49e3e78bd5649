"""What must hold before somebody acts on something: they may see it, and it stays there until their commit.

The rules themselves are `runtime/access.py`. What a viewer may not see is reported exactly like what is not there.
"""

from __future__ import annotations

from typing import Final

from producers.errors import NotFound
from producers.rows import fetch_one, statements
from runtime.access import Viewer, load_scope
from runtime.postgres import Connection

_SQL: Final = statements("visibility")


async def require_post(conn: Connection, viewer: Viewer, post_id: str) -> None:
    """Raises NotFound unless the viewer sees the post."""
    await _require(conn, viewer, "post", post_id)


async def require_person(conn: Connection, viewer: Viewer, user_id: str) -> None:
    """Raises NotFound unless the viewer sees the person."""
    await _require(conn, viewer, "person", user_id)


async def require_club(conn: Connection, viewer: Viewer, club_id: str) -> None:
    """Raises NotFound unless the viewer sees the club."""
    await _require(conn, viewer, "club", club_id)


async def require_course(conn: Connection, viewer: Viewer, course_id: str) -> None:
    """Raises NotFound unless the viewer sees the course."""
    await _require(conn, viewer, "course", course_id)


async def _require(conn: Connection, viewer: Viewer, kind: str, object_id: str) -> None:
    scope = await load_scope(conn, viewer)
    if await fetch_one(conn, _SQL[kind], {**scope.params(), "id": object_id}) is None:
        raise NotFound(f"There is no such {kind}.")
