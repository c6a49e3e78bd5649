"""Counters that are counted: how many likes, comments, bookmarks, shares and views a post has, told when it changed.

Capture is silent on counter columns, because a number that is incremented in many transactions is wrong under
concurrency. Here the posts that were touched since the last run are counted from their rows, in one statement whose
one snapshot also says how far the touching events have been read: an engagement that commits meanwhile is in the
next run. A post from which something was taken back is told even if its counts are the same as before: a view may have
read its row in between. The scheduler calls this every few seconds (app/scheduler.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from psycopg import sql

from outbox.capture.columns import read_table
from runtime.postgres import Connection

#: Whose events touch a post's counters. Views come in floods and are counted less often than the rest.
Topic = Literal["engagement", "view"]

#: Runs take turns: the counting statement must see everything that an earlier run has told.
_LOCK: Final = 7_310_003

_COUNT: Final = sql.SQL((Path(__file__).parent / "counters.sql").read_text(encoding="utf-8"))

_FIRST_SQL: Final = """
INSERT INTO outbox.counter_runs (topic, epoch, snapshot)
VALUES (%s, outbox.current_epoch(), pg_current_snapshot()) ON CONFLICT DO NOTHING RETURNING true
"""

_ROWS: Final = {"likes": "likes", "comments": "comments", "bookmarks": "bookmarks", "views": "post_views"}


async def count(conn: Connection, topic: Topic) -> int:
    """Tell the new counts of posts touched by `topic` since its last run; returns how many posts changed.

    Opens a transaction of its own. The first run only marks the spot: a first fill reads counts from the truth.
    """
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        posts = await read_table(conn, "posts")
        first = await (await conn.execute(_FIRST_SQL, (topic,))).fetchone()
        if posts is None or first is not None:
            return 0
        counts = {name: await _count_of(conn, table) for name, table in _ROWS.items()}
        shares = sql.SQL('p."sharesCount"') if "sharesCount" in posts.columns else sql.SQL("0")
        statement = _COUNT.format(**counts, shares=shares)
        row = await (await conn.execute(statement, {"topic": topic})).fetchone()
    return int(row[0]) if row else 0


async def _count_of(conn: Connection, table: str) -> sql.Composable:
    """The number of a post's rows in `table`; none where upstream has no such table."""
    if await read_table(conn, table) is None:
        return sql.SQL("0")
    return sql.SQL('(SELECT count(*) FROM {} r WHERE r."postId" = p.id)').format(
        sql.Identifier("public", table)
    )
