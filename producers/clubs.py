"""Study clubs: found, change, close, join and leave.

A club is closed, not deleted (upstream's soft delete). Its founder is the OWNER; whoever is OWNER may change it.
A club that may be found is announced by a CLUB_CREATED post, shown to whom the club is shown: upstream has the two
visibilities the wrong way round, which would show a school's club to everybody.
"""

from __future__ import annotations

from typing import Final

from producers.bodies import ClubChanges, NewClub
from producers.errors import Forbidden, Invalid
from producers.ids import new_id
from producers.rows import Row, fetch_one, shown, statements, with_assignments
from producers.visibility import require_club
from runtime.access import Viewer
from runtime.postgres import Connection, fetch_dicts

_SQL: Final = statements("clubs")


async def create(conn: Connection, creator: Viewer, club: NewClub) -> Row:
    """Found a club."""
    school = None if club.open_to_all_schools else creator.school_id
    fields = {**club.model_dump(), "id": new_id(), "creator": creator.id, "school": school}
    [row] = await fetch_dicts(conn, _SQL["create"], fields)
    await _add_member(conn, creator, row["id"], role="OWNER", active=True)
    if club.mode != "INVITE_ONLY":
        visibility = "SCHOOL" if school else "PUBLIC"
        announcement = {"post": new_id(), "creator_school": creator.school_id, "visibility": visibility}
        await conn.execute(_SQL["announce"], {**fields, **announcement})
    return shown(row)


async def edit(conn: Connection, editor: Viewer, club_id: str, changes: ClubChanges) -> Row:
    """Change what is given.

    Raises:
        NotFound: there is no such club for this viewer.
        Forbidden: the viewer does not own it.
    """
    columns = changes.columns()
    update = with_assignments(_SQL["edit"], columns)
    row = await fetch_one(conn, update, {**columns, "club": club_id, "viewer": editor.id})
    if row is None:
        raise await _refusal(conn, editor, club_id)
    return shown(row)


async def close(conn: Connection, closer: Viewer, club_id: str) -> None:
    """Close a club: it and its membership stay as rows, and nobody finds it any more.

    Raises:
        NotFound: there is no such club for this viewer.
        Forbidden: the viewer does not own it.
    """
    closed = await conn.execute(_SQL["close"], {"club": club_id, "viewer": closer.id})
    if not closed.rowcount:
        raise await _refusal(conn, closer, club_id)


async def join(conn: Connection, viewer: Viewer, club_id: str) -> bool:
    """Become a member; true at once, false when an owner has to approve first.

    Raises:
        NotFound: there is no such club for this viewer.
        Invalid: the club is full.
    """
    await require_club(conn, viewer, club_id)
    [place] = await fetch_dicts(conn, _SQL["place"], {"club": club_id, "viewer": viewer.id})
    if place["member"] is not None:
        return bool(place["member"])
    if not place["room"]:
        raise Invalid("The club is full.")
    active = bool(place["mode"] == "PUBLIC")
    await _add_member(conn, viewer, club_id, role="STUDENT", active=active)
    return active


async def leave(conn: Connection, viewer: Viewer, club_id: str) -> None:
    """Leave a club, or take back a request to join."""
    await conn.execute(_SQL["leave"], {"club": club_id, "viewer": viewer.id})


async def _add_member(conn: Connection, viewer: Viewer, club_id: str, *, role: str, active: bool) -> None:
    state = {"role": role, "active": active, "reason": None if active else "PENDING"}
    await conn.execute(_SQL["add_member"], {**state, "id": new_id(), "club": club_id, "viewer": viewer.id})


async def _refusal(conn: Connection, viewer: Viewer, club_id: str) -> Forbidden:
    await require_club(conn, viewer, club_id)
    return Forbidden("Only its owner may change a club.")
