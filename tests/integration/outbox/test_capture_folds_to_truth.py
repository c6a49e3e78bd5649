"""Whatever is written, by several writers at once: the log, folded to the last event per row, is the truth."""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final, LiteralString

import psycopg
import pytest

from outbox.capture.sources import SOURCES
from runtime import postgres
from tests.support.outbox import Connection, log

WRITERS, STEPS = 4, 120

#: Ids come from small ranges, so that writers meet on rows, and deletes and re-inserts happen.
STATEMENTS: Final[tuple[LiteralString, ...]] = (
    """INSERT INTO users (id, password, "firstName", "lastName", "updatedAt")
       VALUES (%(user)s, 'x', %(text)s, 'Sok', now()) ON CONFLICT DO NOTHING""",
    """INSERT INTO posts (id, "authorId", content, "updatedAt") SELECT %(post)s, id, %(text)s, now()
         FROM users WHERE id = %(user)s ON CONFLICT (id) DO UPDATE SET content = excluded.content""",
    """UPDATE posts SET title = %(text)s, "likesCount" = 5 WHERE id = %(post)s""",
    """UPDATE posts SET "viewsCount" = "viewsCount" + 1""",
    """UPDATE users SET bio = %(text)s WHERE id = %(user)s""",
    """INSERT INTO likes (id, "postId", "userId") SELECT gen_random_uuid()::text, p.id, u.id FROM posts p, users u
        WHERE p.id = %(post)s AND u.id = %(user)s
       ON CONFLICT ("postId", "userId") DO UPDATE SET "reactionType" = %(text)s""",
    """DELETE FROM likes WHERE "postId" = %(post)s AND "userId" = %(user)s""",
    """UPDATE likes SET "postId" = (SELECT min(id) FROM posts) WHERE "userId" = %(user)s
          AND NOT EXISTS (SELECT FROM likes o WHERE o."userId" = %(user)s AND o."postId" = (SELECT min(id) FROM posts))
          AND id = (SELECT min(id) FROM likes WHERE "userId" = %(user)s) AND EXISTS (SELECT FROM posts)""",
    """INSERT INTO post_views (id, "postId", "userId") SELECT gen_random_uuid()::text, p.id, NULL FROM posts p
        WHERE p.id = %(post)s""",
    """UPDATE post_views SET duration = coalesce(duration, 0) + 1 WHERE "postId" = %(post)s""",
    """INSERT INTO follows (id, "followerId", "followingId") SELECT gen_random_uuid()::text, a.id, b.id
         FROM users a, users b WHERE a.id = %(user)s AND b.id <> a.id ON CONFLICT DO NOTHING""",
    """DELETE FROM follows WHERE "followingId" = %(user)s""",
    """UPDATE users SET id = id || 'x' WHERE id = %(user)s AND length(id) < 4""",
    "DELETE FROM posts WHERE id = %(post)s",
    "DELETE FROM users WHERE id = %(user)s",
)

#: People and posts are made more often than they go.
_WEIGHTS: Final = [4, 4, *[2] * (len(STATEMENTS) - 5), 1, 1, 1]


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_folded_log_is_the_truth(database: str, connection: Connection, seed: int) -> None:
    await asyncio.gather(*(_write(database, random.Random(seed * 100 + number)) for number in range(WRITERS)))
    connection.execute("TRUNCATE bookmarks, post_views")
    events = log(connection)
    assert len(events) > 100
    folded: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        kind = event.type.split(".")[0] if event.topic == "engagement" else event.topic
        if event.type.endswith("deleted.v1") or event.data.get("removed"):
            folded.pop((kind, event.data["id"]), None)
        else:
            folded[kind, event.data["id"]] = event.data
    assert folded == _truth(connection)


def _truth(conn: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for source in SOURCES.values():
        kind = source.created.split(".")[0] if source.topic == "engagement" else source.topic
        for (data,) in conn.execute(
            "SELECT data FROM outbox.truth_events(%s, NULL, 100000)", (source.table,)
        ):
            found[kind, data["id"]] = data
    return found


async def _write(database: str, chance: random.Random) -> None:
    async with postgres.connect(database) as conn:
        for step in range(STEPS):
            values = {
                "user": f"u{chance.randrange(5)}",
                "post": f"p{chance.randrange(6)}",
                "text": f"t{step}",
            }
            try:
                async with conn.transaction(force_rollback=chance.random() < 0.1):
                    for statement in chance.choices(STATEMENTS, _WEIGHTS, k=chance.randint(1, 3)):
                        await conn.execute(statement, values)
            except (psycopg.errors.DeadlockDetected, psycopg.IntegrityError):
                continue  # as an application would: the transaction is gone, and with it its events
