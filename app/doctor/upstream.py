"""Upstream's tables: whether they have what the rules of who may see what ask for. Reads fail where they do not.

Each rule is planned, not run, on the tables as they are: what PostgreSQL misses is what the reads would miss. What
capture listens to is compared by `stunity capture status`.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString

import psycopg

from app.doctor.finding import Finding, fail, ok, one_line
from runtime.access import (
    CLUB_VISIBLE,
    COURSE_VISIBLE,
    PERSON_VISIBLE,
    POST_VISIBLE,
    SCOPE_SQL,
    Scope,
    Viewer,
)

_RULES: Final[dict[str, LiteralString]] = {
    "blocks and classmates": SCOPE_SQL,
    "posts": 'SELECT FROM posts p JOIN users a ON a.id = p."authorId" WHERE ' + POST_VISIBLE,
    "people": "SELECT FROM users u WHERE " + PERSON_VISIBLE,
    "clubs": "SELECT FROM study_clubs c WHERE " + CLUB_VISIBLE,
    "courses": "SELECT FROM courses k WHERE " + COURSE_VISIBLE,
}
_ANYBODY: Final = Scope(Viewer("nobody", "STUDENT", "nowhere"))


def check(conn: psycopg.Connection[Any]) -> Finding:
    """Whether every rule can be asked."""
    trouble = []
    for what, rule in _RULES.items():
        try:
            conn.execute("EXPLAIN " + rule, _ANYBODY.params())
        except psycopg.ProgrammingError as error:  # what is not there, or not for this role
            trouble.append(f"{what}: {one_line(error).partition(' LINE ')[0]}")
    if trouble:
        mend = "reads of these fail: give the tables these columns, or connect the right database (docs/reference)"
        return fail("upstream", "; ".join(trouble), mend)
    return ok("upstream", "its tables have what the rules of visibility ask for")
