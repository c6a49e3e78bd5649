"""Who may see what: one rule per kind of object, as SQL, used by every read (view, hydration and fallback alike).

The predicates take named parameters from `Scope.params()`; they name the tables by fixed aliases (`p` posts with
`a` its author, `u` users, `c` study_clubs, `k` courses) and contain no value. Index queries narrow by the same
scope, but what leaves the API has always passed one of these in PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from runtime.postgres import Connection, fetch_rows

STAFF: Final = frozenset({"ADMIN", "PRINCIPAL", "VICE_PRINCIPAL", "TEACHER", "STAFF"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, as the access token says."""

    id: str
    role: str
    school_id: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """A viewer with what the rules need to know of them: blocks in either direction, and classmates."""

    viewer: Viewer
    blocked: tuple[str, ...] = ()
    classmates: tuple[str, ...] = ()

    def params(self) -> dict[str, Any]:
        """The named parameters of the predicates below."""
        return {
            "viewer": self.viewer.id,
            "school": self.viewer.school_id,
            "blocked": list(self.blocked),
            "classmates": list(self.classmates),
        }


#: Post `p` with its author joined as `a`.
POST_VISIBLE: Final = """(
    p."authorId" <> ALL (%(blocked)s::text[])
    AND (p."authorId" = %(viewer)s
         OR (a."isActive" AND a."accountSuspendedAt" IS NULL
             AND (p.visibility = 'PUBLIC'
                  OR (p.visibility = 'SCHOOL' AND p."schoolId" = %(school)s::text)
                  OR (p.visibility = 'CLASS' AND p."authorId" = ANY (%(classmates)s::text[])))))
)"""

#: Person `u`, in search, suggestions and as the author shown on a card.
PERSON_VISIBLE: Final = """(
    u.id = %(viewer)s
    OR (u."isActive" AND u."accountSuspendedAt" IS NULL AND u."socialFeaturesEnabled"
        AND u.id <> ALL (%(blocked)s::text[])
        AND (u."profileVisibility" = 'PUBLIC'
             OR (u."profileVisibility" = 'SCHOOL' AND u."schoolId" = %(school)s::text)
             OR (u."profileVisibility" = 'CLASS' AND u.id = ANY (%(classmates)s::text[]))))
)"""

#: Club `c`.
CLUB_VISIBLE: Final = """(
    c."isActive"
    AND (EXISTS (SELECT FROM club_members m
                 WHERE m."clubId" = c.id AND m."userId" = %(viewer)s AND m."isActive")
         OR (c.mode <> 'INVITE_ONLY' AND (c."schoolId" IS NULL OR c."schoolId" = %(school)s::text)))
)"""

#: Course `k`.
COURSE_VISIBLE: Final = """(k."isPublished" OR k."instructorId" = %(viewer)s)"""

#: Blocks and classmates of `viewer`. Sets are handed on as arrays: joins would read whole tables for one class.
SCOPE_SQL: Final = """
WITH me AS (
    SELECT "studentId" AS student, "teacherId" AS teacher FROM users WHERE id = %(viewer)s
), my_classes AS (
    SELECT ARRAY(
        SELECT s."classId" FROM students s WHERE s.id = (SELECT student FROM me)
        UNION SELECT sc."classId" FROM student_classes sc WHERE sc."studentId" = (SELECT student FROM me)
        UNION SELECT t."homeroomClassId" FROM teachers t WHERE t.id = (SELECT teacher FROM me)
        UNION SELECT tc."classId" FROM teacher_classes tc WHERE tc."teacherId" = (SELECT teacher FROM me)
    ) AS ids
), class_students AS (
    SELECT ARRAY(
        SELECT s.id FROM students s WHERE s."classId" = ANY ((SELECT ids FROM my_classes)::text[])
        UNION SELECT sc."studentId" FROM student_classes sc
               WHERE sc."classId" = ANY ((SELECT ids FROM my_classes)::text[])
    ) AS ids
), class_teachers AS (
    SELECT ARRAY(
        SELECT t.id FROM teachers t WHERE t."homeroomClassId" = ANY ((SELECT ids FROM my_classes)::text[])
        UNION SELECT tc."teacherId" FROM teacher_classes tc
               WHERE tc."classId" = ANY ((SELECT ids FROM my_classes)::text[])
    ) AS ids
)
SELECT
    ARRAY(SELECT "blockedId" FROM user_blocks WHERE "blockerId" = %(viewer)s
          UNION SELECT "blockerId" FROM user_blocks WHERE "blockedId" = %(viewer)s) AS blocked,
    ARRAY(SELECT u.id FROM users u WHERE u."studentId" = ANY ((SELECT ids FROM class_students)::text[])
          UNION SELECT u.id FROM users u
                 WHERE u."teacherId" = ANY ((SELECT ids FROM class_teachers)::text[])) AS classmates
"""


async def load_scope(conn: Connection, viewer: Viewer) -> Scope:
    """Read blocks and classmates of a viewer: one query, never cached, so that a block holds at once."""
    [(blocked, classmates)] = await fetch_rows(conn, SCOPE_SQL, {"viewer": viewer.id}, prepare=True)
    return Scope(viewer, tuple(blocked), tuple(classmates))
