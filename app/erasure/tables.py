"""What our own tables keep of a person besides the log and the views; and a search of all tables for what is left."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from app.erasure.person import Person
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "tables.sql")
_COUNTED: Final = frozenset({"jobs"})
_STATEMENTS: Final = (
    "jobs", "engine_jobs", "repairs", "gaps", "texts", "vectors", "marks", "interests", "tokens", "presence",
    "games", "players",
)  # fmt: skip
_MENTIONED: Final = "SELECT t::text FROM {}.{} AS t WHERE strpos(t::text, %s) > 0 LIMIT 1000"


async def forget(conn: Connection, person: Person) -> int:
    """Remove the person from our own tables; how many rows. Tables of parts that are not installed are passed over."""
    params = {"id": person.id, "pattern": _pattern(person)}
    removed = 0
    for name in _STATEMENTS:
        try:
            async with conn.transaction():
                done = await conn.execute(_SQL[name], params)
                removed += (await done.fetchall())[0][0] if name in _COUNTED else done.rowcount
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            continue
    return removed


async def traces(conn: Connection, person: Person) -> dict[str, int]:
    """How many rows of which of our tables still mention the person."""
    found = {}
    for schema, name in await fetch_rows(conn, _SQL["ours"]):
        query = sql.SQL(_MENTIONED).format(sql.Identifier(schema), sql.Identifier(name))
        async with conn.transaction():
            rows = await (await conn.execute(query, (person.id,))).fetchall()
        if count := sum(person.is_in(row[0]) for row in rows):
            found[f"{schema}.{name}"] = count
    return found


def _pattern(person: Person) -> str:
    """The regular expression of PostgreSQL for the id as a word of its own."""
    return rf"(^|[^A-Za-z0-9_-]){re.escape(person.id)}($|[^A-Za-z0-9_-])"
