"""The rows behind the documents, read from PostgreSQL: one query per collection for all keys of a batch.

Events only say which keys changed. What is written are the rows as they are now, so a document can't be older than
the event that caused it, counters and names come along, and a repeated or belated event changes nothing. What is
made of a row is `mapping.py`; what a reader gets to see is `hydrate.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from consumers.search.schema import KINDS, Kind
from runtime.postgres import Connection, fetch_dicts, fetch_rows

_FOLDER: Final = Path(__file__).parent / "sql"
_ROWS_SQL: Final[dict[Kind, str]] = {
    kind: (_FOLDER / f"truth_{kind}.sql").read_text(encoding="utf-8") for kind in KINDS
}
_TABLES: Final[dict[Kind, str]] = {
    "posts": "posts",
    "users": "users",
    "clubs": "study_clubs",
    "courses": "courses",
}
_NEXT_KEYS: Final = "ARRAY(SELECT id FROM {} WHERE id > %(after)s ORDER BY id LIMIT %(most)s)"
_PAGE_SQL: Final[dict[Kind, str]] = {
    kind: f"{query.replace('%(keys)s::text[]', _NEXT_KEYS.format(_TABLES[kind]))} ORDER BY 1"
    for kind, query in _ROWS_SQL.items()
}

_POSTS_OF_SQL: Final = """
SELECT id FROM posts WHERE "authorId" = ANY (%(users)s::text[]) AND id > %(after)s ORDER BY id LIMIT %(most)s
"""
_COURSES_OF_SQL: Final = """
SELECT id FROM courses WHERE "instructorId" = ANY (%(users)s::text[]) AND id > %(after)s ORDER BY id LIMIT %(most)s
"""
_WORKS_SQL: Final[dict[Kind, str]] = {"posts": _POSTS_OF_SQL, "courses": _COURSES_OF_SQL}


async def rows(conn: Connection, kind: Kind, keys: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these keys, in no order; a key that is gone has none."""
    return await fetch_dicts(conn, _ROWS_SQL[kind], {"keys": list(keys)})


async def page(conn: Connection, kind: Kind, after: str, most: int) -> list[dict[str, Any]]:
    """The next rows behind the key `after`, in the database's order of keys: what a rebuild reads."""
    return await fetch_dicts(conn, _PAGE_SQL[kind], {"after": after, "most": most})


async def works(conn: Connection, kind: Kind, users: Sequence[str], after: str, most: int) -> list[str]:
    """Ids of what these users made (`posts` or `courses`) that follow `after`, at most so many, in order."""
    params = {"users": list(users), "after": after, "most": most}
    return [row["id"] for row in await fetch_dicts(conn, _WORKS_SQL[kind], params)]


async def gone(conn: Connection, users: Sequence[str]) -> list[str]:
    """Those of these users that do not exist any more."""
    query = (
        "SELECT wanted.id FROM unnest(%s::text[]) AS wanted (id) "
        "WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = wanted.id)"
    )
    return [row[0] for row in await fetch_rows(conn, query, (list(users),))]
