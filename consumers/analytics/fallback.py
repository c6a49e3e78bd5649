"""The same numbers counted on the truth, for when the time-series tables are missing, down or slow.

Tolerance: the truth has no weight per view (mobile clients sample), so each row counts once here, and an activity
counts for the school that its actor is in now.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from consumers.analytics.facts import MAX_DURATION_S, SOURCES
from consumers.analytics.model import PostNumbers, SchoolNumbers
from consumers.analytics.series import Window
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

_PARTS: Final = load(Path(__file__).parent / "sql" / "truth.sql")
_SQL: Final = {name: text.replace("{activity}", _PARTS["activity_rows"]) for name, text in _PARTS.items()}


async def post(conn: Connection, post_id: str, grid: Window) -> PostNumbers:
    """Numbers of one post, from its rows."""
    params = {"post": post_id, "sources": list(SOURCES), "max_duration": MAX_DURATION_S, **grid.params()}
    unique, duration = (await fetch_rows(conn, _SQL["whole_window"], params))[0]
    return PostNumbers(
        await fetch_rows(conn, _SQL["series"], params),
        await fetch_rows(conn, _SQL["engagements"], params),
        await fetch_rows(conn, _SQL["sources"], params),
        unique,
        duration,
    )


async def school(conn: Connection, school_id: str, grid: Window) -> SchoolNumbers:
    """Numbers of one school, from its members' rows."""
    params = {"school_id": school_id, **grid.params()}
    return SchoolNumbers(
        await fetch_rows(conn, _SQL["activity"], params),
        await fetch_rows(conn, _SQL["heat"], params),
        (await fetch_rows(conn, _SQL["active"], params))[0][0],
    )
