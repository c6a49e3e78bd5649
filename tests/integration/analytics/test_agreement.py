"""The view, filled by captured events or from the truth, gives the numbers that PostgreSQL's fallback counts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from consumers.analytics import fallback
from consumers.analytics.model import post_answer, school_answer
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.series import Bucket, Period, window
from consumers.analytics.view import AnalyticsView
from runtime.postgres import Pool, fetch_dicts
from schemas.envelope import Event
from tests.integration.analytics.conftest import batch

pytestmark = pytest.mark.timescale_too

_LOG = """
SELECT id, xid::text::bigint AS xid, occurred_at, topic, type, key, data, headers FROM outbox.events ORDER BY id
"""
_SOURCES = "SELECT source FROM outbox.truth_sources() WHERE topic = ANY (%s)"
_ROWS = """
SELECT 0 AS id, 0 AS xid, occurred_at, topic, type, key, data, headers
  FROM outbox.truth_events(%s, NULL, 10000)
"""


def write_history(database: str) -> None:
    """Views, likes, comments, bookmarks over a hundred days; some taken back, one post deleted, one person gone."""
    chance, now = random.Random(3), datetime.now(UTC).replace(tzinfo=None)
    with psycopg.connect(database, autocommit=True) as conn:
        for number in range(400):
            at = now - timedelta(minutes=chance.randrange(100 * 24 * 60))
            post, user = chance.choice(["p1", "p2", "p3"]), chance.choice(["u1", "u2", "u3", None])
            conn.execute(
                'INSERT INTO post_views (id, "postId", "userId", "viewedAt", duration, source)'
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (f"v{number}", post, user, at, chance.choice([None, 3, 99999]), chance.choice(["feed", "x"])),
            )
            conn.execute(
                'INSERT INTO comments (id, "postId", "authorId", content, "createdAt", "updatedAt")'
                " VALUES (%s, %s, %s, 'c', %s, now())",
                (f"c{number}", post, user or "u1", at),
            )
            for table in ("likes", "bookmarks"):
                conn.execute(
                    f'INSERT INTO {table} (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)'
                    ' ON CONFLICT ("postId", "userId") DO NOTHING',
                    (f"{table}{number}", post, user or "u2", at),
                )
        conn.execute("DELETE FROM likes WHERE \"userId\" = 'u2'")
        conn.execute("DELETE FROM post_views WHERE id IN (SELECT id FROM post_views ORDER BY id LIMIT 40)")
        conn.execute("DELETE FROM posts WHERE id = 'p2'")
        conn.execute("DELETE FROM users WHERE id = 'u3'")


async def events(truth: Pool, origin: str) -> list[Event]:
    """Everything that happened, from the log or made from the rows."""
    async with truth.connection() as conn:
        if origin == "log":
            return [Event(**row) for row in await fetch_dicts(conn, _LOG)]
        topics = sorted(AnalyticsProjection.topics)
        sources = [row["source"] for row in await fetch_dicts(conn, _SOURCES, (topics,))]
        return [Event(**row) for source in sources for row in await fetch_dicts(conn, _ROWS, (source,))]


@pytest.mark.parametrize("origin", ["log", "truth"])
async def test_the_view_agrees_with_the_truth(
    projection: AnalyticsProjection, analytics: Pool, truth: Pool, database: str, origin: str
) -> None:
    write_history(database)
    happened = await events(truth, origin)
    for start in range(0, len(happened), 100):
        await projection.apply(batch(*happened[start : start + 100]))
    view, now = AnalyticsView(analytics), datetime.now(UTC)
    for period in Period:
        for bucket in Bucket:
            grid = window(period, bucket, now)
            async with truth.connection() as conn:
                wanted: dict[str, Any] = post_answer("p1", grid, await fallback.post(conn, "p1", grid))
                school = school_answer("s1", grid, await fallback.school(conn, "s1", grid))
            assert post_answer("p1", grid, await view.post("p1", grid)) == wanted
            assert school_answer("s1", grid, await view.school("s1", grid)) == school
            assert sum(point["views"] for point in wanted["series"]) == wanted["totalViews"]
    assert wanted["totalViews"] > 50  # of the quarter, the last period: the comparison was not of nothing
    assert school["totals"]["comments"] > 50
