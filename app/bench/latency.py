"""From commit to every view, on a whole stack of its own at a steady rate of posts.

Each post is one transaction; its clock starts with `occurred_at` in the outbox, a little before the commit. Each store
is asked by a loop of its own which of the outstanding posts it has, a few hundred times a second at most, so a figure
is rounded up by one question. Everything runs on this machine: the stack, the writer, the looking. The relay alone,
faster and more exactly, is `commit_to_stream.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import redis.asyncio

from app.bench.percentiles import percentiles
from app.demo.tour import settled
from consumers.feeds import schema as feeds
from consumers.search.schema import token
from runtime.postgres import Connection, connect, fetch_rows
from runtime.redis import open_client
from schemas import wire

_GRACE: Final = 20.0
_PAUSE: Final = 0.004
_AUTHORS: Final = """
SELECT id, "schoolId" FROM users WHERE "isActive" AND "accountSuspendedAt" IS NULL AND "schoolId" IS NOT NULL
 ORDER BY id LIMIT 50
"""
_POST: Final = """
INSERT INTO posts (id, "authorId", "schoolId", content, visibility, "updatedAt")
VALUES (%s, %s, %s, %s, 'SCHOOL', now())
"""
_VIEW: Final = 'INSERT INTO post_views (id, "postId", "userId") VALUES (%s, %s, %s)'
_WRITTEN: Final = """
SELECT key, extract(epoch FROM occurred_at)::float8 FROM outbox.events
 WHERE topic = 'post' AND key = ANY (%s) AND type LIKE 'post.created%%'
"""

Look = Callable[[list[str]], Awaitable[set[str]]]


@dataclass(slots=True)
class Course:
    """What one store still owes, and how long the rest took (s)."""

    name: str
    look: Look
    waiting: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)

    async def pass_by(self, started: dict[str, float]) -> None:
        """Ask once for everything outstanding whose start is known."""
        asked = [post for post in self.waiting if post in started]
        if not asked:
            return
        found = await self.look(asked)
        now = time.time()
        self.seconds += [now - started[post] for post in found & self.waiting]
        self.waiting -= found

    def figures(self) -> dict[str, float | int]:
        """Milliseconds."""
        return {**percentiles([1000 * took for took in self.seconds]), "missing": len(self.waiting)}


async def measure(
    env: dict[str, str], *, rate: float, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write `rate` posts a second for so many `seconds` into the stack that `env` describes; wait for the last.

    Raises:
        Retryable: the views do not come to rest before it begins.
    """
    async with (
        connect(env["DATABASE_URL"], autocommit=True, name="bench-write") as writer,
        connect(env["DATABASE_URL"], autocommit=True, name="bench-look") as db,
        connect(env["DATABASE_URL"], autocommit=True, name="bench-embedded") as embedded,
        connect(env["DATABASE_URL"], autocommit=True, name="bench-counted") as counted,
        open_client(env["REDIS_URL"]) as client,
        httpx.AsyncClient(timeout=10) as http,
    ):
        await settled(env["API_URL"], db)
        courses = [
            Course("stream", await _stream(client)),
            Course("search", _typesense(http, env)),
            Course(
                "embedded", _query(embedded, "SELECT post_id FROM embeddings.posts WHERE post_id = ANY (%s)")
            ),
            Course("feeds", await _pools(client)),
            Course(
                "analytics",
                _query(counted, "SELECT post_id FROM analytics.post_views_ts WHERE post_id = ANY (%s)"),
            ),
        ]
        writing = asyncio.create_task(_write(writer, courses, rate, seconds))
        say(f"{rate:g} posts/s for {seconds:g} s")
        await _watch(db, courses, writing)
        written = await writing
    return {
        "rate": rate,
        "posts": written,
        "commit_to": {course.name: course.figures() for course in courses},
    }


async def _write(conn: Connection, courses: list[Course], rate: float, seconds: float) -> int:
    authors = await fetch_rows(conn, _AUTHORS)
    begin, count, run = time.monotonic(), int(rate * seconds), f"{time.time():.0f}"
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        author, school = authors[number % len(authors)]
        post = f"bench-{run}-{number}"
        for course in courses:
            course.waiting.add(post)
        text = f"Measured lesson {number} of run {run}: how rivers carry stones, sand and mud to the sea."
        await conn.execute(_POST, (post, author, school, text))
        await conn.execute(_VIEW, (f"{post}-view", post, author))
    return count


async def _watch(db: Connection, courses: list[Course], writing: asyncio.Task[int]) -> None:
    """Until every store has everything, or the last post has been waited for long enough."""
    started: dict[str, float] = {}
    looking = [asyncio.create_task(_follow(course, started)) for course in courses]
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        if writing.done() and deadline is None:
            deadline = time.monotonic() + _GRACE
        unknown = list({post for course in courses for post in course.waiting} - started.keys())
        if unknown:
            started |= {key: float(at) for key, at in await fetch_rows(db, _WRITTEN, (unknown,))}
        if writing.done() and not any(course.waiting for course in courses):
            break
        await asyncio.sleep(_PAUSE)
    for task in looking:
        task.cancel()
    for ended in await asyncio.gather(*looking, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def _follow(course: Course, started: dict[str, float]) -> None:
    while True:
        await course.pass_by(started)
        await asyncio.sleep(_PAUSE)


def _query(db: Connection, query: str) -> Look:
    async def look(posts: list[str]) -> set[str]:
        return {row[0] for row in await fetch_rows(db, query, (posts,))}

    return look


async def _stream(client: redis.asyncio.Redis) -> Look:
    keys: list[bytes] = [key async for key in client.scan_iter("*:post:{0}", _type="stream")]
    newest = max(keys, key=lambda key: int(key.split(b":")[1]))
    last: Any = await client.xrevrange(newest, count=1)
    position = last[0][0] if last else b"0-0"
    seen: set[str] = set()

    async def look(posts: list[str]) -> set[str]:
        nonlocal position
        entries: Any = await client.xrange(newest, min=b"(" + position)
        for position, fields in entries:  # noqa: B007 - the last one is where the next look begins
            seen.add(wire.head(fields).key.decode() if b"m" in fields else "")
        return seen & set(posts)

    return look


async def _pools(client: redis.asyncio.Redis) -> Look:
    root = feeds.root("stunity")
    incarnation: Any = await client.hget(f"{root}meta", "incarnation")

    async def look(posts: list[str]) -> set[str]:
        found = await client.mget([f"{root}{incarnation.decode()}:post:{post}" for post in posts])
        return {post for post, value in zip(posts, found, strict=True) if value is not None}

    return look


def _typesense(http: httpx.AsyncClient, env: dict[str, str]) -> Look:
    base = f"{env['TYPESENSE_PROTOCOL']}://{env['TYPESENSE_HOST']}:{env['TYPESENSE_PORT']}"
    headers = {"X-TYPESENSE-API-KEY": env["TYPESENSE_API_KEY"]}

    async def look(posts: list[str]) -> set[str]:
        asked = posts[:200]
        search = {
            "collection": "stunity_posts",
            "q": "*",
            "filter_by": f"id:[{','.join(token(post) for post in asked)}]",
            "include_fields": "key",
            "per_page": 250,
        }
        answer = await http.post(f"{base}/multi_search", json={"searches": [search]}, headers=headers)
        hits = answer.raise_for_status().json()["results"][0]["hits"]
        return {hit["document"]["key"] for hit in hits}

    return look
