"""Courses: a catalogue without schools. Publish, change, withdraw, enrol.

A course that is not published is seen by its instructor alone; `status` follows `isPublished`.
"""

from __future__ import annotations

from typing import Any, Final

from psycopg.types.json import Jsonb

from producers.bodies import CourseChanges, NewCourse
from producers.errors import Forbidden
from producers.ids import new_id
from producers.rows import Row, fetch_one, shown, statements, with_assignments
from producers.visibility import require_course
from runtime.access import Viewer
from runtime.postgres import Connection, fetch_dicts

_SQL: Final = statements("courses")
_TRANSLATIONS: Final = ("titleTranslations", "descriptionTranslations")


async def create(conn: Connection, instructor: Viewer, course: NewCourse) -> Row:
    """Add a course to the catalogue, published or as a draft."""
    fields = {
        **course.model_dump(),
        "id": new_id(),
        "instructor": instructor.id,
        "status": _status(course.is_published),
        "locales": sorted({course.source_locale, *(course.title_translations or {})}),
        "title_translations": _json(course.title_translations),
        "description_translations": _json(course.description_translations),
    }
    [row] = await fetch_dicts(conn, _SQL["create"], fields)
    return shown(row)


async def edit(conn: Connection, editor: Viewer, course_id: str, changes: CourseChanges) -> Row:
    """Change what is given.

    Raises:
        NotFound: there is no such course for this viewer.
        Forbidden: somebody else teaches it.
    """
    columns = changes.columns()
    columns |= {name: _json(columns[name]) for name in _TRANSLATIONS if name in columns}
    if "isPublished" in columns:
        columns["status"] = _status(changes.is_published)
    update = with_assignments(_SQL["edit"], columns)
    row = await fetch_one(conn, update, {**columns, "course": course_id, "editor": editor.id})
    if row is None:
        raise await _refusal(conn, editor, course_id)
    return shown(row)


async def delete(conn: Connection, deleter: Viewer, course_id: str) -> None:
    """Remove a course and everybody's enrolment in it.

    Raises:
        NotFound: there is no such course for this viewer.
        Forbidden: somebody else teaches it.
    """
    deleted = await conn.execute(_SQL["delete"], {"course": course_id, "deleter": deleter.id})
    if not deleted.rowcount:
        raise await _refusal(conn, deleter, course_id)


async def enrol(conn: Connection, viewer: Viewer, course_id: str) -> None:
    """Enrol in a course; a second time changes nothing.

    Raises:
        NotFound: there is no such course for this viewer.
    """
    await require_course(conn, viewer, course_id)
    params = {"id": new_id(), "viewer": viewer.id, "course": course_id}
    enrolled = await conn.execute(_SQL["enrol"], params)
    if enrolled.rowcount:
        await conn.execute(_SQL["count_enrolment"], params)


def _status(published: bool) -> str:
    return "PUBLISHED" if published else "DRAFT"


def _json(translations: dict[Any, str] | None) -> Jsonb | None:
    return None if translations is None else Jsonb(translations)


async def _refusal(conn: Connection, viewer: Viewer, course_id: str) -> Forbidden:
    await require_course(conn, viewer, course_id)
    return Forbidden("Only its instructor may change a course.")
