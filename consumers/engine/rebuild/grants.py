"""Privileges that were given on a schema, given on another one that is about to take its place."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

_SQL: Final = load(Path(__file__).parent / "sql" / "grants.sql")


async def copy_grants(conn: Connection, old: str, new: str) -> None:
    """Whoever may use the one schema and its tables may use the other; statements are made and quoted by PostgreSQL."""
    for (statement,) in await fetch_rows(conn, _SQL["grants"], {"old": old, "new": new}):
        await conn.execute(str(statement).encode())
