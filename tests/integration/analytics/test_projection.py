"""The time-series tables hold each fact once and the roll-ups agree with them, on every kind of server."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from consumers.analytics.projection import AnalyticsProjection
from consumers.engine.projection import StaleOwner, StoreForgot
from runtime.errors import Retryable
from runtime.postgres import Pool, fetch_rows
from tests.integration.analytics.conftest import HOUR, TWO_CONNECTIONS, batch, event, view
from tests.support.wait import until

pytestmark = pytest.mark.timescale_too

LIKE = {"id": "l1", "userId": "u2", "at": HOUR.isoformat()}


async def rows(pool: Pool, query: str) -> list[Any]:
    async with pool.connection() as conn:
        return await fetch_rows(conn, query)


async def hourly(pool: Pool) -> list[Any]:
    return await rows(
        pool,
        "SELECT post_id, view_count, unique_viewers FROM analytics.post_views_hourly ORDER BY post_id, hour",
    )


async def test_views_are_counted_per_post_and_hour(projection: AnalyticsProjection, analytics: Pool) -> None:
    late = HOUR - timedelta(days=40)
    await projection.apply(
        batch(
            view("a"),
            view("b"),
            view("c", user="u2"),
            view("d", "p2"),
            view("e", at=late),
            view("f", weight=5),
        )
    )
    assert await hourly(analytics) == [("p1", 1, 1), ("p1", 8, 2), ("p2", 1, 1)]


async def test_repeats_and_shuffles_change_nothing(projection: AnalyticsProjection, analytics: Pool) -> None:
    events = [view(f"v{n}", f"p{n % 3 + 1}", user=f"u{n % 2 + 1}", duration=n) for n in range(60)]
    await projection.apply(batch(*events))
    before = await hourly(analytics)
    shuffled = random.Random(7).sample(events, len(events))
    for start in range(0, 60, 7):
        await projection.apply(batch(*shuffled[start : start + 7]))
    assert await hourly(analytics) == before
    assert (await rows(analytics, "SELECT count(*) FROM analytics.post_views_ts"))[0][0] == 60


async def test_a_like_taken_back_is_taken_out(projection: AnalyticsProjection, analytics: Pool) -> None:
    await projection.apply(
        batch(event("like.created", **LIKE), event("comment.created", id="c1", userId="u1", at=LIKE["at"]))
    )
    await projection.apply(batch(event("like.deleted", **LIKE)))
    assert await rows(analytics, "SELECT kind, count FROM analytics.engagement_hourly") == [("comment", 1)]
    assert await rows(analytics, "SELECT school_id, kind, count FROM analytics.school_activity_hourly") == [
        ("s1", "comment", 1)
    ]


async def test_a_deleted_post_leaves_nothing_and_late_facts_of_it_stay_out(
    projection: AnalyticsProjection, analytics: Pool, database: str
) -> None:
    await projection.apply(batch(view("a"), event("like.created", **LIKE)))
    with psycopg.connect(database) as conn:
        conn.execute("DELETE FROM posts WHERE id = 'p1'")
    await projection.apply(batch(event("post.deleted"), view("b")))
    await projection.apply(batch(view("c")))
    for table in (
        "post_views_ts",
        "engagement_ts",
        "post_views_hourly",
        "engagement_hourly",
        "school_activity_ts",
    ):
        assert await rows(analytics, f"SELECT count(*) FROM analytics.{table}") == [(0,)], table


async def test_a_deleted_person_leaves_the_count_of_people_not_of_views(
    projection: AnalyticsProjection, analytics: Pool, database: str
) -> None:
    await projection.apply(batch(view("a"), view("b", user="u2")))
    with psycopg.connect(database) as conn:
        conn.execute("DELETE FROM users WHERE id = 'u2'")
    await projection.apply(batch(event("user.deleted", "u2")))
    assert await hourly(analytics) == [("p1", 2, 1)]


async def test_a_paused_former_owner_writes_nothing(projection: AnalyticsProjection, analytics: Pool) -> None:
    await projection.apply(batch(generation=2))
    with pytest.raises(StaleOwner):
        await projection.apply(batch(view("a"), generation=1))
    assert await hourly(analytics) == []


@pytest.mark.parametrize(
    "loss",
    [
        "DROP TABLE analytics.post_views_ts CASCADE",
        "TRUNCATE analytics.post_views_ts",
        "DROP SCHEMA analytics CASCADE",
    ],
)
async def test_a_lost_table_loses_the_checkpoint_so_that_the_view_is_filled_again(
    projection: AnalyticsProjection, analytics: Pool, loss: str
) -> None:
    await projection.apply(batch(view("a"), checkpoint="here"))
    assert await projection.read_checkpoint() == "here"
    async with analytics.connection() as conn:
        await conn.execute(loss)
    if not loss.startswith("DROP TABLE"):
        assert await projection.read_checkpoint() is None
    with pytest.raises(StoreForgot):
        await projection.apply(batch(view("b")))
    await projection.prepare()
    assert await projection.read_checkpoint() is None
    await projection.apply(batch(view("a"), view("b"), refill=True))
    assert await hourly(analytics) == [("p1", 2, 1)]


@TWO_CONNECTIONS
async def test_tables_that_are_dropped_while_they_are_looked_at(
    projection: AnalyticsProjection, analytics_url: str
) -> None:
    """A consumer that prepares its view just then must not die of it."""
    with psycopg.connect(analytics_url) as conn:
        conn.execute("DROP SCHEMA analytics CASCADE")
        preparing = asyncio.create_task(projection.prepare())
        await until(lambda: conn.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is not None)
        conn.commit()
    with pytest.raises(Retryable, match="dropped"):
        await preparing
    await projection.prepare()
    assert await projection.read_checkpoint() is None


async def test_an_event_that_is_no_fact_is_rejected_alone(
    projection: AnalyticsProjection, analytics: Pool
) -> None:
    rejected = await projection.apply(batch(view("a"), event("post.viewed")))
    assert [rejection.reason for rejection in rejected] == ["id is missing"]
    assert await hourly(analytics) == [("p1", 1, 1)]


@pytest.mark.parametrize("odd", ["tab\there", "back\\slash", 'quo"te,{}', "new\nline\r", "\\N", "ចំណាប់"])
async def test_ids_may_be_any_text(
    projection: AnalyticsProjection, analytics: Pool, database: str, odd: str
) -> None:
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE users SET id = %s WHERE id = 'u2'", (odd,))
        conn.execute("UPDATE posts SET id = %s WHERE id = 'p2'", (odd,))
    for _ in range(2):
        await projection.apply(batch(view(odd, odd, user=odd), view("plain", odd)))
    assert await rows(
        analytics, "SELECT fact_id, viewer_id FROM analytics.post_views_ts ORDER BY 1"
    ) == sorted([(odd, odd), ("plain", "u1")])
    assert await hourly(analytics) == [(odd, 2, 2)]
