"""Raw rows of the upstream tables, as any program would write them, and the log that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Logged:
    """One row of outbox.events, as far as tests look at it."""

    id: int
    topic: str
    type: str
    key: str
    data: dict[str, Any]
    headers: dict[str, Any]


def log(conn: Connection, after: int = 0) -> list[Logged]:
    """The events after an id, in id order."""
    rows = conn.execute(
        "SELECT id, topic, type, key, data, headers FROM outbox.events WHERE id > %s ORDER BY id", (after,)
    )
    return [Logged(*row) for row in rows]


def newest_id(conn: Connection) -> int:
    """Where the log ends now."""
    row = conn.execute("SELECT coalesce(max(id), 0) FROM outbox.events").fetchone()
    assert row is not None
    return int(row[0])


def events_of(conn: Connection, statement: LiteralString, params: Any = None) -> list[tuple[str, str]]:
    """(type without version, key) of what one statement wrote to the log."""
    before = newest_id(conn)
    conn.execute(statement, params)
    return [(event.type.removesuffix(".v1"), event.key) for event in log(conn, before)]


def add_school(conn: Connection, school_id: str) -> None:
    """A school with nobody in it."""
    conn.execute(
        """INSERT INTO schools (id, name, slug, email, "updatedAt") VALUES (%(id)s, %(id)s, %(id)s, %(id)s, now())""",
        {"id": school_id},
    )


def add_user(conn: Connection, user_id: str, *, school: str | None = None) -> None:
    """A teacher."""
    conn.execute(
        """INSERT INTO users (id, "schoolId", password, "firstName", "lastName", "updatedAt")
           VALUES (%s, %s, 'secret', 'Dara', 'Sok', now())""",
        (user_id, school),
    )


def add_post(conn: Connection, post_id: str, author: str) -> None:
    """An article."""
    conn.execute(
        """INSERT INTO posts (id, "authorId", title, content, "updatedAt")
           VALUES (%s, %s, 'Title', 'Content', now())""",
        (post_id, author),
    )


def like(conn: Connection, post_id: str, user: str) -> None:
    """A reaction."""
    conn.execute(
        'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)',
        (f"l-{post_id}-{user}", post_id, user),
    )


def view(conn: Connection, view_id: str, post_id: str, user: str | None = None) -> None:
    """A view."""
    conn.execute(
        'INSERT INTO post_views (id, "postId", "userId") VALUES (%s, %s, %s)', (view_id, post_id, user)
    )
