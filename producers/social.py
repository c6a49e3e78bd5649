"""Follows and blocks between people. Putting what is there and removing what is not are no errors."""

from __future__ import annotations

from typing import Final

from producers.errors import Invalid, NotFound
from producers.ids import new_id
from producers.rows import fetch_one, statements
from producers.visibility import require_person
from runtime.access import Viewer
from runtime.postgres import Connection

_SQL: Final = statements("social")


async def follow(conn: Connection, viewer: Viewer, user_id: str) -> None:
    """Follow a person whom the viewer may see.

    Raises:
        NotFound: there is no such person for this viewer.
        Invalid: nobody follows themselves.
    """
    _refuse_self(viewer, user_id, "follow")
    await require_person(conn, viewer, user_id)
    await conn.execute(_SQL["follow"], {"id": new_id(), "viewer": viewer.id, "other": user_id})


async def unfollow(conn: Connection, viewer: Viewer, user_id: str) -> None:
    """Stop following.

    Raises:
        NotFound: there is no such person for this viewer, nor were they followed.
    """
    removed = await conn.execute(_SQL["unfollow"], {"viewer": viewer.id, "other": user_id})
    if not removed.rowcount:
        await require_person(conn, viewer, user_id)


async def block(conn: Connection, viewer: Viewer, user_id: str) -> None:
    """Block a person; whoever followed whom no longer does.

    Visibility is not asked: one must be able to block somebody who has blocked first or whose profile is private.

    Raises:
        NotFound: there is no such person.
        Invalid: nobody blocks themselves.
    """
    _refuse_self(viewer, user_id, "block")
    pair = {"viewer": viewer.id, "other": user_id}
    if await fetch_one(conn, _SQL["exists"], pair) is None:
        raise NotFound("There is no such person.")
    await conn.execute(_SQL["block"], {**pair, "id": new_id()})
    await conn.execute(_SQL["part"], pair)


async def unblock(conn: Connection, viewer: Viewer, user_id: str) -> None:
    """Lift one's own block; a block by the other side stays."""
    await conn.execute(_SQL["unblock"], {"viewer": viewer.id, "other": user_id})


def _refuse_self(viewer: Viewer, user_id: str, verb: str) -> None:
    if user_id == viewer.id:
        raise Invalid(f"Nobody can {verb} themselves.")
