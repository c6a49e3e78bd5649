"""The upstream tables themselves: are they there, and if not, a development copy of them.

Upstream's database is never touched: where a single one of its tables exists without our having made it, nothing
is created, altered or dropped in `public`. The statements stand in `migrations/`; making events of the rows is the
business of the capture in `outbox/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import psycopg

from runtime.migrations import upgrade

MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: The copy keeps a history of its own, in `stunity.upstream_copy`, whose existence says that the tables are ours.
HISTORY: Final = "upstream_copy"

TABLES: Final = (
    "schools",
    "classes",
    "students",
    "teachers",
    "student_classes",
    "teacher_classes",
    "users",
    "school_memberships",
    "follows",
    "user_blocks",
    "study_clubs",
    "posts",
    "likes",
    "comments",
    "bookmarks",
    "post_views",
    "club_members",
    "club_materials",
    "courses",
    "enrollments",
    "quizzes",
    "quiz_attempts",
)


def upstream_present(conn: psycopg.Connection[Any]) -> bool:
    """Whether any of the upstream tables exists in schema `public`, whoever made it."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY (%s))",
        (list(TABLES),),
    ).fetchone()
    return bool(row and row[0])


def is_copy(conn: psycopg.Connection[Any]) -> bool:
    """Whether the tables are the development copy that `ensure` made."""
    row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (f"stunity.{HISTORY}",)).fetchone()
    return bool(row and row[0])


def ensure(url: str) -> bool:
    """Create the development copy where there are no upstream tables; true when it was created just now.

    An older copy of our own is brought up to date. Anything else is left alone.
    """
    with psycopg.connect(url, autocommit=True, prepare_threshold=None, connect_timeout=10) as conn:
        present, ours = upstream_present(conn), is_copy(conn)
    if present and not ours:
        return False
    upgrade(url, [MIGRATIONS], history=HISTORY)
    return not present
