"""The views of `bench analytics`: made by the server for the history, as events for the writer, as text for COPY.

One post in five views is the viral one; the others' popularity falls with their number. People and hours are drawn
evenly, so that sets are as large and as hard to compress as they can be.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from consumers.analytics.layout import Layout
from consumers.analytics.schema import ensure_months, month_of
from runtime.postgres import Connection, fetch_rows
from schemas.envelope import Event

#: Everything is dated from here: the end of the last whole hour.
NOW: Final = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
DAYS: Final = 90
_SCHOOLS: Final = 40
_LAYOUT: Final = Layout()

_TRUTH: Final = """
SET LOCAL session_replication_role = replica;
INSERT INTO schools (id, name, slug, email, "updatedAt")
SELECT 'school' || n, 'School ' || n, 'school' || n, 'school' || n || '@school.example', now()
  FROM generate_series(0, {schools} - 1) AS n;
INSERT INTO users (id, "schoolId", password, "firstName", "lastName", "updatedAt")
SELECT 'cuser' || lpad(n::text, 19, '0'), 'school' || n %% {schools}, 'x', 'A', 'B', now()
  FROM generate_series(0, {people} - 1) AS n;
INSERT INTO posts (id, "authorId", "schoolId", content, "updatedAt")
SELECT 'cpost' || lpad(n::text, 19, '0'), 'cuser' || lpad('0', 19, '0'), 'school0', 'text', now()
  FROM generate_series(0, {posts} - 1) AS n;
"""
_HISTORY: Final = """
INSERT INTO analytics.post_views_ts
SELECT %(since)s::timestamptz + n * %(step)s::interval, 'v' || md5(n::text),
       'cpost' || lpad(CASE WHEN random() < %(viral)s THEN '0'
                            ELSE (1 + floor((%(posts)s - 1) * power(random(), 2)))::int::text END, 19, '0'),
       'cuser' || lpad(viewer::text, 19, '0'), 'school' || viewer %% 40,
       (ARRAY['feed', 'feed', 'feed', 'post_detail', 'search', 'share'])[1 + floor(6 * random())::int],
       (2 + floor(60 * random()))::int, 1
  FROM (SELECT n, floor(%(people)s * random())::int AS viewer FROM generate_series(0, %(views)s - 1) AS n) AS drawn
"""
_INDEXES: Final = (
    "ALTER TABLE analytics.post_views_ts ADD PRIMARY KEY (time, fact_id)",
    "CREATE INDEX post_views_ts_post ON analytics.post_views_ts (post_id, time DESC)",
    "CREATE INDEX post_views_ts_viewer ON analytics.post_views_ts (viewer_id) WHERE viewer_id IS NOT NULL",
)
_PLAN: Final = """
CREATE SCHEMA plan;
CREATE MATERIALIZED VIEW plan.post_views_hourly AS
SELECT date_trunc('hour', time) AS hour, post_id, count(*) AS view_count, count(DISTINCT viewer_id) AS unique_viewers
  FROM analytics.post_views_ts GROUP BY 1, 2;
CREATE INDEX ON plan.post_views_hourly (post_id, hour DESC);
ANALYZE plan.post_views_hourly
"""
#: Hours and days of the last days, counted from the facts, that the roll-ups do not have so.
_DIFFERENT: Final = """
WITH counted AS (
    SELECT date_trunc('{bucket}', time, 'Asia/Phnom_Penh') AS {bucket}, post_id, sum(weight)::int AS view_count,
           count(DISTINCT viewer_id)::int AS unique_viewers, sum(duration_s)::bigint AS duration_sum
      FROM analytics.post_views_ts WHERE time >= %(since)s GROUP BY 1, 2)
SELECT count(*) FROM counted FULL JOIN (SELECT * FROM analytics.{table} WHERE {bucket} >= %(since)s) AS kept
       USING ({bucket}, post_id)
 WHERE (counted.view_count, counted.unique_viewers, counted.duration_sum)
       IS DISTINCT FROM (kept.view_count, kept.unique_viewers, kept.duration_sum)
"""
_COPY: Final = """
COPY analytics.post_views_ts (time, fact_id, post_id, viewer_id, school_id, source, duration_s, weight) FROM STDIN
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """`views` in all, `viral` of them of one post; the last `ingest` of them go through the projection."""

    views: int
    posts: int
    viral: int
    people: int
    ingest: int

    @property
    def step(self) -> timedelta:
        """Between two views."""
        return timedelta(days=DAYS) / self.views

    @property
    def ingest_begins(self) -> datetime:
        """Before, it is history."""
        return NOW - self.step * self.ingest


def post_id(number: int) -> str:
    """0 is the viral one."""
    return f"cpost{number:019}"


async def make_history(conn: Connection, facts: Facts, say: Callable[[str], None]) -> None:
    """Schools, people, posts, and all views but the last; indexes are built when the rows are there."""
    count = facts.views - facts.ingest
    say(f"{count:,} views of {facts.posts:,} posts …")
    values = {"schools": _SCHOOLS, "people": facts.people, "posts": facts.posts}
    await conn.execute(_TRUTH.replace("%%", "%").format(**values).encode())
    await conn.execute("SET LOCAL session_replication_role = DEFAULT")
    months = {month_of(NOW - timedelta(days=day)) for day in range(-1, DAYS + 2)}
    await ensure_months(conn, _LAYOUT, sorted(months))
    await conn.execute("ALTER TABLE analytics.post_views_ts DROP CONSTRAINT post_views_ts_pkey")
    await conn.execute("DROP INDEX analytics.post_views_ts_post, analytics.post_views_ts_viewer")
    await conn.execute("SET LOCAL maintenance_work_mem = '1GB'")
    await conn.execute("SET LOCAL work_mem = '512MB'")
    await conn.execute("SELECT setseed(0.5)")
    params = {
        "since": NOW - timedelta(days=DAYS),
        "step": facts.step,
        "viral": facts.viral / facts.views,
        "posts": facts.posts,
        "people": facts.people,
        "views": count,
    }
    await conn.execute(_HISTORY, params)
    say("indexes …")
    for statement in _INDEXES:
        await conn.execute(statement)
    await conn.execute("ANALYZE analytics.post_views_ts")


async def make_plans_rollup(conn: Connection) -> None:
    """The plan's continuous aggregate, as PostgreSQL alone can have it."""
    await conn.execute("SET LOCAL work_mem = '512MB'")
    await conn.execute(_PLAN.encode())


def batches(facts: Facts, size: int) -> Iterator[list[Event]]:
    """The last views in the order of time, as events."""
    made: list[Event] = []
    for number, (time, fact, post, user, source, seconds) in enumerate(
        _drawn(facts, "v", facts.ingest_begins)
    ):
        at = time.isoformat().replace("+00:00", "Z")
        data = {"id": fact, "at": at, "userId": user, "source": source, "duration": seconds, "weight": 1}
        made.append(Event(number + 1, 3, NOW, "view", "post.viewed.v1", post, data))
        if len(made) == size:
            yield made
            made = []
    if made:
        yield made


async def differences(conn: Connection, facts: Facts) -> int:
    """Buckets of the last days whose roll-up is not what their facts amount to."""
    since = _LAYOUT.grid.day(_LAYOUT.grid.hour(facts.ingest_begins.timestamp()))
    params = {"since": datetime.fromtimestamp(since, UTC)}
    await conn.execute("SET LOCAL work_mem = '256MB'")
    wrong = 0
    for bucket, table in (("hour", "post_views_hourly"), ("day", "post_views_daily")):
        query = _DIFFERENT.replace("{bucket}", bucket).replace("{table}", table)
        [(count,)] = await fetch_rows(conn, query, params)
        wrong += count
    return wrong


async def copy_rate(conn: Connection, facts: Facts) -> float:
    """Rows per second of a bare COPY of as many rows, later ones, already written out as text; then they go again."""
    text = [
        f"{time.isoformat()}\t{fact}\t{post}\t{user}\tschool{int(user[-19:]) % _SCHOOLS}\t{source}\t{seconds}\t1\n"
        for time, fact, post, user, source, seconds in _drawn(facts, "w", NOW - facts.step * facts.ingest)
    ]
    blocks = ["".join(text[start : start + 2000]).encode() for start in range(0, len(text), 2000)]
    await conn.commit()
    started = perf_counter()
    async with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
        for block in blocks:
            await copy.write(block)
    await conn.commit()
    rate = facts.ingest / (perf_counter() - started)
    await conn.execute(
        "DELETE FROM analytics.post_views_ts WHERE fact_id LIKE %s AND time >= %s",
        ("w%", facts.ingest_begins),
    )
    await conn.commit()
    return rate


async def copy_of_the_last_days(conn: Connection, post: str, since: datetime) -> str:
    """Another post with the same roll-ups since then, and none before."""
    young = "cpostyoung"
    for table, column in (("busy_days", "day"), ("busy_hours", "hour"), ("post_people", "day")):
        await conn.execute(
            f"CREATE TEMP TABLE young_{table} ON COMMIT DROP AS SELECT * FROM analytics.{table}"  # noqa: S608
            f" WHERE post_id = %s AND {column} >= %s",
            (post, since),
        )
        await conn.execute(f"UPDATE young_{table} SET post_id = %s", (young,))  # noqa: S608
        await conn.execute(f"INSERT INTO analytics.{table} SELECT * FROM young_{table}")  # noqa: S608
    return young


def _drawn(facts: Facts, prefix: str, since: datetime) -> Iterator[tuple[datetime, str, str, str, str, int]]:
    chance = random.Random(prefix)  # noqa: S311 - the same views in every run
    viral = facts.viral / facts.views
    sources = ("feed", "feed", "feed", "post_detail", "search", "share")
    for number in range(facts.ingest):
        fact = prefix + hashlib.md5(f"{prefix}{number}".encode(), usedforsecurity=False).hexdigest()
        post = 0 if chance.random() < viral else 1 + int((facts.posts - 1) * chance.random() ** 2)
        user = f"cuser{int(facts.people * chance.random()):019}"
        yield since + facts.step * number, fact, post_id(post), user, chance.choice(sources), 2 + number % 60
