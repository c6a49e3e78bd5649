"""Likes, comments and bookmarks: the row and the post's counter in one transaction.

Putting what is there and removing what is not are no errors. What one's own hand has put may be taken back even when
the post is no longer visible; everything else needs a post that the viewer sees.
"""

from __future__ import annotations

from typing import Final

from producers.bodies import NewComment, NewLike
from producers.errors import Invalid
from producers.ids import new_id
from producers.rows import Row, fetch_one, shown, statements
from producers.visibility import require_post
from runtime.access import Viewer
from runtime.postgres import Connection, fetch_dicts

_SQL: Final = statements("engagement")


async def like(conn: Connection, viewer: Viewer, post_id: str, reaction: NewLike) -> None:
    """Like a post, or change one's reaction to it, which leaves the counter alone.

    Raises:
        NotFound: there is no such post for this viewer.
    """
    await require_post(conn, viewer, post_id)
    row = await fetch_one(
        conn,
        _SQL["like"],
        {"id": new_id(), "post": post_id, "viewer": viewer.id, "reaction": reaction.reaction_type},
    )
    if row and row["inserted"]:
        await conn.execute(_SQL["count_likes"], {"change": 1, "post": post_id})


async def unlike(conn: Connection, viewer: Viewer, post_id: str) -> None:
    """Take one's like back.

    Raises:
        NotFound: there is no such post for this viewer, nor a like of theirs.
    """
    removed = await conn.execute(_SQL["unlike"], {"post": post_id, "viewer": viewer.id})
    if removed.rowcount:
        await conn.execute(_SQL["count_likes"], {"change": -1, "post": post_id})
    else:
        await require_post(conn, viewer, post_id)


async def comment(conn: Connection, viewer: Viewer, post_id: str, new: NewComment) -> Row:
    """Comment on a post, or answer a comment; answers are one level deep.

    Raises:
        NotFound: there is no such post for this viewer.
        Invalid: the parent is not a first-level comment of this post.
    """
    await require_post(conn, viewer, post_id)
    if new.parent_id is not None:
        await _require_first_level(conn, post_id, new.parent_id)
    [row] = await fetch_dicts(
        conn, _SQL["comment"], {**new.model_dump(), "id": new_id(), "post": post_id, "viewer": viewer.id}
    )
    await conn.execute(_SQL["count_comment"], {"post": post_id})
    return shown(row)


async def bookmark(conn: Connection, viewer: Viewer, post_id: str) -> None:
    """Keep a post for later; upstream counts bookmarks nowhere.

    Raises:
        NotFound: there is no such post for this viewer.
    """
    await require_post(conn, viewer, post_id)
    await conn.execute(_SQL["bookmark"], {"id": new_id(), "post": post_id, "viewer": viewer.id})


async def unbookmark(conn: Connection, viewer: Viewer, post_id: str) -> None:
    """Drop a bookmark.

    Raises:
        NotFound: there is no such post for this viewer, nor a bookmark of theirs.
    """
    removed = await conn.execute(_SQL["unbookmark"], {"post": post_id, "viewer": viewer.id})
    if not removed.rowcount:
        await require_post(conn, viewer, post_id)


async def _require_first_level(conn: Connection, post_id: str, parent_id: str) -> None:
    if await fetch_one(conn, _SQL["first_level_comment"], {"parent": parent_id, "post": post_id}) is None:
        raise Invalid("parentId must name a first-level comment of this post.")
