"""The same numbers counted on the truth, for when the time-series tables are missing, down or slow.

Tolerance: the truth has no weight per view (mobile clients sample), so each row counts once here, and an activity
counts for the school that its actor is in now.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from consumers.analytics.facts import MAX_DURATION_S, SOURCES
from consumers.analytics.insights import AuthorNumbers, AuthorsPost, Trend, trend_answer
from consumers.analytics.model import PostNumbers, SchoolNumbers
from consumers.analytics.series import Window
from runtime.access import POST_VISIBLE, Scope
from runtime.postgres import Connection, fetch_rows
from runtime.statements import load

_PARTS: Final = load(Path(__file__).parent / "sql" / "truth.sql")
_SQL: Final = {
    name: text.replace("{activity}", _PARTS["activity_rows"]).replace("{visible}", POST_VISIBLE)
    for name, text in _PARTS.items()
}


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


async def posts_of(conn: Connection, author_id: str) -> list[AuthorsPost]:
    """What an author has written; only the truth knows, whoever counts."""
    return [
        AuthorsPost(*row) for row in await fetch_rows(conn, _SQL["posts_of_author"], {"author": author_id})
    ]


async def author(conn: Connection, author_id: str, grid: Window) -> AuthorNumbers:
    """Numbers of an author's posts, from their rows."""
    params = {"author": author_id, **grid.params()}
    people = await fetch_rows(conn, _SQL["people_of_author"], params)
    return AuthorNumbers(
        await fetch_rows(conn, _SQL["views_of_author"], params),
        await fetch_rows(conn, _SQL["engagements_of_author"], params),
        {day: count for day, _, count in people if day is not None},
        {post: count for _, post, count in people if post is not None},
        next((count for day, post, count in people if day is None and post is None), 0),
    )


async def trending(conn: Connection, scope: Scope, grid: Window, limit: int) -> list[dict[str, Any]]:
    """The posts with the highest scores that the viewer may see, from rows."""
    params = {**scope.params(), **grid.params(), "limit": limit}
    rows = await fetch_rows(conn, _SQL["trending"], params)
    return [trend_answer(Trend(*row[:6]), *row[6:]) for row in rows]


async def visible(conn: Connection, scope: Scope, trends: Sequence[Trend]) -> list[dict[str, Any]]:
    """Those of these posts that the viewer may see, in their order, with what they are called."""
    params = {**scope.params(), "posts": [trend.post_id for trend in trends]}
    found = {row[0]: row[1:] for row in await fetch_rows(conn, _SQL["visible_posts"], params)}
    return [trend_answer(trend, *found[trend.post_id]) for trend in trends if trend.post_id in found]
