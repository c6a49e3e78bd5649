"""Counts are exact, told once, and only when they changed, however the engagements interleave."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from outbox import counters
from runtime import postgres
from schemas.registry import REGISTRY
from tests.support.outbox import Connection, add_post, add_user, like, log, view


@pytest.fixture
async def conn(database: str) -> AsyncIterator[postgres.Connection]:
    """The scheduler's connection, with the spot marked."""
    async with postgres.connect(database) as opened:
        assert await counters.count(opened, "engagement") == 0
        assert await counters.count(opened, "view") == 0
        yield opened


def told(connection: Connection) -> list[dict[str, Any]]:
    return [event.data for event in log(connection) if event.type == "post.counters_changed.v1"]


async def test_touched_posts_are_told_once(conn: postgres.Connection, school: Connection) -> None:
    like(school, "p1", "u2")
    like(school, "p1", "u1")
    school.execute("""UPDATE posts SET "likesCount" = 99, "sharesCount" = 3""")
    assert await counters.count(conn, "engagement") == 1
    assert told(school) == [{"id": "p1", "likes": 2, "comments": 0, "bookmarks": 0, "shares": 3, "views": 0}]
    REGISTRY.parse("post.counters_changed.v1", told(school)[0])
    assert await counters.count(conn, "engagement") == 0
    assert len(told(school)) == 1


async def test_what_changes_nothing_is_not_told(conn: postgres.Connection, school: Connection) -> None:
    like(school, "p1", "u2")
    await counters.count(conn, "engagement")
    school.execute("UPDATE likes SET \"reactionType\" = 'INSIGHTFUL'")
    assert await counters.count(conn, "engagement") == 0


async def test_what_was_taken_back_is_told_though_the_sum_is_the_same(
    conn: postgres.Connection, school: Connection
) -> None:
    """A view may have read the post's row in between, because of another event."""
    like(school, "p1", "u2")
    await counters.count(conn, "engagement")
    like(school, "p1", "u1")
    school.execute("""DELETE FROM likes WHERE "userId" = 'u1'""")
    assert await counters.count(conn, "engagement") == 1
    assert [counts["likes"] for counts in told(school)] == [1, 1]
    assert await counters.count(conn, "engagement") == 0


async def test_views_are_counted_on_their_own(conn: postgres.Connection, school: Connection) -> None:
    view(school, "v1", "p1")
    assert await counters.count(conn, "engagement") == 0
    assert await counters.count(conn, "view") == 1
    assert told(school)[-1]["views"] == 1
    school.execute("DELETE FROM post_views")
    assert await counters.count(conn, "view") == 1
    assert told(school)[-1]["views"] == 0


async def test_an_engagement_that_commits_after_the_count_is_in_the_next(
    conn: postgres.Connection, school: Connection, database: str
) -> None:
    with psycopg.connect(database) as slow:
        like(slow, "p1", "u2")
        like(school, "p1", "u1")
        assert await counters.count(conn, "engagement") == 1
        assert told(school)[-1]["likes"] == 1
        slow.commit()
    assert await counters.count(conn, "engagement") == 1
    assert told(school)[-1]["likes"] == 2


async def test_a_deleted_post_is_forgotten(conn: postgres.Connection, school: Connection) -> None:
    like(school, "p1", "u2")
    await counters.count(conn, "engagement")
    school.execute("DELETE FROM posts")
    assert await counters.count(conn, "engagement") == 0
    assert school.execute("SELECT count(*) FROM outbox.post_counters").fetchone() == (0,)


async def test_tables_that_upstream_does_not_have_count_nothing(
    conn: postgres.Connection, school: Connection
) -> None:
    school.execute("DROP TABLE bookmarks, post_views CASCADE")
    like(school, "p1", "u2")
    assert await counters.count(conn, "engagement") == 1
    assert (told(school)[-1]["bookmarks"], told(school)[-1]["views"]) == (0, 0)


async def test_after_a_restore_everything_since_is_counted(
    conn: postgres.Connection, school: Connection
) -> None:
    """Xids have begun again below those that the last run saw."""
    school.execute("UPDATE outbox.counter_runs SET snapshot = '99999999:99999999:'")
    like(school, "p1", "u2")
    assert await counters.count(conn, "engagement") == 0, "without a new epoch nobody can know"
    school.execute("UPDATE outbox.counter_runs SET snapshot = '99999999:99999999:', epoch = 0")
    school.execute(
        """INSERT INTO outbox.epochs (epoch, mode, partitions, reason, settled_below_id)
           VALUES (1, 'poll', 1, 'restore', 2)"""
    )
    assert await counters.count(conn, "engagement") == 1
    like(school, "p1", "u1")
    assert await counters.count(conn, "engagement") == 1


async def test_counts_are_exact_while_everybody_writes(
    conn: postgres.Connection, connection: Connection, database: str
) -> None:
    posts, users = [f"p{n}" for n in range(5)], [f"u{n}" for n in range(8)]
    for user in users:
        add_user(connection, user)
    for post in posts:
        add_post(connection, post, "u0")
    await asyncio.gather(*(_toggle(database, posts, user) for user in users), _count_often(database))
    await counters.count(conn, "engagement")
    newest = {counts["id"]: counts["likes"] for counts in told(connection)}
    rows = connection.execute(
        'SELECT p.id, count(l.id) FROM posts p LEFT JOIN likes l ON l."postId" = p.id GROUP BY p.id'
    )
    assert newest == {post: likes for post, likes in rows if post in newest}


async def _toggle(database: str, posts: list[str], user: str) -> None:
    chance = random.Random(user)
    async with postgres.connect(database) as conn:
        for step in range(40):
            post = chance.choice(posts)
            async with conn.transaction():
                gone = await conn.execute(
                    'DELETE FROM likes WHERE "postId" = %s AND "userId" = %s', (post, user)
                )
                if gone.rowcount == 0:
                    insert = 'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)'
                    await conn.execute(insert, (f"{user}-{step}", post, user))


async def _count_often(database: str) -> None:
    async with postgres.connect(database) as conn, asyncio.TaskGroup() as both:
        both.create_task(_count(conn))
        async with postgres.connect(database) as rival:
            await _count(rival)


async def _count(conn: postgres.Connection) -> None:
    for _ in range(15):
        await counters.count(conn, "engagement")
