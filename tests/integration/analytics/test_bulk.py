"""A fill in bulk leaves the very rows that the same things leave when they are told as events, one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pyroaring import BitMap

from consumers.analytics import bulk, recount
from consumers.analytics.filling import Filling
from consumers.analytics.layout import Layout
from consumers.analytics.people import HOUR_BIT
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.store import AnalyticsStore
from consumers.engine.checkpoint import Refill
from consumers.engine.projection import StaleOwner
from consumers.engine.rebuild.shadow import Filled
from runtime.postgres import Pool, fetch_rows
from tests.integration.analytics.conftest import batch
from tests.integration.analytics.rollups import counted, held
from tests.integration.analytics.test_agreement import events

pytestmark = pytest.mark.timescale_too

_TABLES = ("post_views_ts", "engagement_ts", "school_activity_ts")
BULK = Layout("analytics_bulk", busy_from=3)
#: Times that clocks may show.
_NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
_TIMES = (
    *(
        _NOW - timedelta(hours=3 * hours, milliseconds=milliseconds)
        for hours in range(40)
        for milliseconds in (0, 1)
    ),
    _NOW - timedelta(days=60),
    _NOW + timedelta(days=2),
    datetime(1970, 1, 1),  # noqa: DTZ001 - as the column has it
    datetime(9999, 12, 31),  # noqa: DTZ001
)
_IDS = (
    "plain",
    'quo"te',
    "back\\slash",
    "tab\tbed",
    "new\nline",
    "{brace,s}",
    "NULL",
    "ខ្មែរ",
    "a'b",
    " ",
    ":like:",
)
_SOURCES = ("feed", "share", "other", "", "FEED", "nowhere", None)
_DURATIONS = (None, 0, 3, -5, 3600, 3601, 2**31 - 1)


def write_anything(database: str, seed: int) -> None:
    """Rows with whatever the columns may hold, some of posts and people that are not there (any more)."""
    chance = random.Random(seed)
    posts, users = ["p1", "p2", "p3", "gone"], ["u1", "u2", "u3", "gone", ""]
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO schools (id, name, slug, email, \"updatedAt\") VALUES ('s2', 'S', 's2', 's2@x', now())"
        )
        conn.execute("UPDATE users SET \"schoolId\" = NULL WHERE id = 'u3'")
        conn.execute(
            "SET session_replication_role = replica"
        )  # capture fires nevertheless, foreign keys do not
        conn.execute("UPDATE posts SET \"schoolId\" = 's2' WHERE id = 'p2'")
        conn.execute("UPDATE posts SET \"schoolId\" = '' WHERE id = 'p3'")
        for number in range(150):
            name, post, at = f"{chance.choice(_IDS)}{number}", chance.choice(posts), chance.choice(_TIMES)
            conn.execute(
                'INSERT INTO post_views (id, "postId", "userId", "viewedAt", duration, source)'
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    name,
                    post,
                    chance.choice([*users, None]),
                    at,
                    chance.choice(_DURATIONS),
                    chance.choice(_SOURCES),
                ),
            )
            conn.execute(
                'INSERT INTO comments (id, "postId", "authorId", content, "createdAt", "updatedAt")'
                " VALUES (%s, %s, %s, 'c', %s, now())",
                (name, post, chance.choice(users), at),
            )
            for table in ("likes", "bookmarks"):
                conn.execute(
                    sql.SQL(
                        'INSERT INTO {} (id, "postId", "userId", "createdAt") VALUES (%s, %s, %s, %s)'
                        ' ON CONFLICT ("postId", "userId") DO NOTHING'
                    ).format(sql.Identifier(table)),
                    (name, post, chance.choice(users), at),
                )
        for number, post in enumerate(["p1", "gone"]):
            conn.execute(
                'INSERT INTO quizzes (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "updatedAt")'
                " VALUES (%s, %s, '[]', 1, 1, 1, now())",
                (f"q{number}", post),
            )
        for number in range(30):
            conn.execute(
                'INSERT INTO quiz_attempts (id, "quizId", "userId", answers, score, "pointsEarned", passed,'
                " \"submittedAt\") VALUES (%s, %s, %s, '[]', 1, 1, true, %s)",
                (
                    f"a{number}",
                    chance.choice(["q0", "q1", "none"]),
                    chance.choice(users),
                    chance.choice(_TIMES),
                ),
            )


async def prepared(analytics: Pool, truth: Pool) -> Filling:
    """A fill into tables of its own, which are empty."""
    async with analytics.connection() as conn:
        await conn.execute("DROP SCHEMA IF EXISTS analytics_bulk CASCADE")
    store = AnalyticsStore(analytics, truth, BULK)
    kind = await store.prepare()
    await AnalyticsProjection(store).apply(batch(refill=True))
    return Filling(store, analytics, truth, BULK, kind)


async def fill(filling: Filling, after: Refill | None = None, since: datetime | None = None) -> list[Filled]:
    return [step async for step in filling.steps(AnalyticsProjection.topics, 1, after, since)]


async def serve(pool: Pool) -> None:
    """Let readers find what was filled."""
    async with pool.connection() as conn:
        await conn.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
        await conn.execute("ALTER SCHEMA analytics_bulk RENAME TO analytics")


async def rows(pool: Pool, schema: str) -> dict[str, Any]:
    """All facts, and sets by the names of their people."""
    async with pool.connection() as conn:
        found: dict[str, Any] = {
            table: sorted(map(repr, await fetch_rows(conn, f"SELECT * FROM {schema}.{table}")))
            for table in _TABLES
        }
        names: dict[int, str] = dict(await fetch_rows(conn, f"SELECT id, user_id FROM {schema}.people"))
        for owner in ("post", "school"):
            sets = await fetch_rows(conn, f"SELECT {owner}_id, day, by_hour FROM {schema}.{owner}_people")
            found[owner] = {(whose, day, who) for whose, day, marks in sets for who in _who(marks, names)}
    return found


def _who(marks: bytes, names: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    for mark in BitMap.deserialize(marks):
        yield mark >> HOUR_BIT, names[mark & ((1 << HOUR_BIT) - 1)]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pages of each table, and several stretches of days."""
    monkeypatch.setattr("consumers.analytics.filling.PAGE", 40)
    monkeypatch.setattr(recount, "_FACTS", 30)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("origin", ["log", "truth"])
async def test_the_same_rows(
    projection: AnalyticsProjection, analytics: Pool, truth: Pool, database: str, seed: int, origin: str
) -> None:
    write_anything(database, seed)
    happened = await events(truth, origin)
    for start in range(0, len(happened), 100):
        await projection.apply(batch(*happened[start : start + 100]))
    filling = await prepared(analytics, truth)
    steps = await fill(filling)
    expected = await rows(analytics, "analytics")
    assert {table: len(found) > 10 for table, found in expected.items()} == dict.fromkeys(expected, True)
    assert await rows(analytics, "analytics_bulk") == expected
    async with truth.connection() as conn:
        [(there,)] = await fetch_rows(conn, Layout().statements("rebuild")["rows"])
    assert sum(step.rows for step in steps) == there
    assert len([step for step in steps if step.rows]) > 10
    assert len([step for step in steps if not step.rows]) > 2


async def test_what_is_counted_is_what_the_writer_counts(
    projection: AnalyticsProjection, analytics: Pool, truth: Pool, database: str
) -> None:
    write_anything(database, 3)
    await fill(await prepared(analytics, truth))
    await serve(analytics)
    found = await held(analytics)
    assert len(found["hourly"]) > 10
    assert found == await counted(analytics)
    await projection.apply(batch(*await events(truth, "log"), checkpoint="again"))  # all of it is known
    assert await held(analytics) == found


async def test_a_fill_goes_on_from_anywhere(analytics: Pool, truth: Pool, database: str) -> None:
    """What was done behind the place where it goes on is not done twice."""
    write_anything(database, 4)
    filling = await prepared(analytics, truth)
    reached = [None, *(step.reached for step in await fill(filling))]
    expected = await rows(analytics, "analytics_bulk")
    assert len(reached) > 10
    for place in reached:
        await fill(filling, place)
        assert await rows(analytics, "analytics_bulk") == expected, place


async def test_only_the_owner_fills(analytics: Pool, truth: Pool, database: str) -> None:
    write_anything(database, 5)
    filling = await prepared(analytics, truth)
    store = AnalyticsStore(analytics, truth, BULK)
    await store.prepare()
    await AnalyticsProjection(store).apply(batch(generation=2, checkpoint="taken", refill=True))
    with pytest.raises(StaleOwner):
        await fill(filling)
    assert not (await rows(analytics, "analytics_bulk"))["post_views_ts"]


async def test_what_is_too_old_is_left_out(analytics: Pool, truth: Pool, database: str) -> None:
    write_anything(database, 6)
    since = datetime.now(UTC) - timedelta(days=30)
    await fill(await prepared(analytics, truth), since=since)
    async with analytics.connection() as conn:
        oldest = [
            time
            for table in _TABLES
            for (time,) in await fetch_rows(conn, f"SELECT min(time) FROM analytics_bulk.{table}")
        ]
    assert min(oldest) >= since


def test_every_table_with_facts_is_read() -> None:
    """In the order in which a fill goes on."""
    tables = list(bulk.SOURCES_OF_FACTS)
    assert all(one < other for one, other in pairwise(tables))
