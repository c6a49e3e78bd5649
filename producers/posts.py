"""Posts: write, change, delete. Only the author may change or delete; deletes are hard, as upstream's are.

A post belongs to the school that its author is in when it is written, and stays there (`posts."schoolId"` decides who
sees a SCHOOL post). What readers do with posts is `engagement.py` and `views.py`.
"""

from __future__ import annotations

from typing import Final

from producers import quizzes
from producers.bodies import NewPost, PostChanges
from producers.errors import Forbidden
from producers.ids import new_id
from producers.rows import Row, fetch_one, shown, statements, with_assignments
from producers.visibility import require_post
from runtime.access import Viewer
from runtime.postgres import Connection, fetch_dicts

_SQL: Final = statements("posts")


async def create(conn: Connection, author: Viewer, post: NewPost) -> Row:
    """Write a post, with its quiz if it has one."""
    fields = post.model_dump(exclude={"quiz"})
    [row] = await fetch_dicts(
        conn, _SQL["create"], {**fields, "id": new_id(), "author": author.id, "school": author.school_id}
    )
    if post.quiz is not None:
        row["quizId"] = await quizzes.create(conn, row["id"], post.quiz)
    return shown(row)


async def edit(conn: Connection, editor: Viewer, post_id: str, changes: PostChanges) -> Row:
    """Change what is given.

    Raises:
        NotFound: there is no such post for this viewer.
        Forbidden: the post is somebody else's.
    """
    columns = changes.columns()
    update = with_assignments(_SQL["edit"], columns)
    row = await fetch_one(conn, update, {**columns, "post": post_id, "editor": editor.id})
    if row is None:
        raise await _refusal(conn, editor, post_id)
    return shown(row)


async def delete(conn: Connection, deleter: Viewer, post_id: str) -> None:
    """Delete a post; likes, comments, bookmarks, views and its quiz go with it.

    Raises:
        NotFound: there is no such post for this viewer.
        Forbidden: the post is somebody else's.
    """
    deleted = await conn.execute(_SQL["delete"], {"post": post_id, "deleter": deleter.id})
    if deleted.rowcount == 0:
        raise await _refusal(conn, deleter, post_id)


async def _refusal(conn: Connection, viewer: Viewer, post_id: str) -> Forbidden:
    await require_post(conn, viewer, post_id)
    return Forbidden("Only its author may change a post.")
