"""A small school with posts, the analytics view on the same database, and events made from rows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from consumers.analytics.layout import Layout
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.store import AnalyticsStore
from consumers.engine.projection import Batch
from runtime.postgres import Pool, open_pool
from schemas.envelope import Event

#: Three views make a post's day busy, so that a few dozen views make both busy days and quiet ones.
SMALL = Layout(busy_from=3)
#: For tests in which two look at the same time.
TWO_CONNECTIONS = pytest.mark.skipif(
    os.environ.get("STUNITY_TEST_TIMESCALE_KIND") == "community",
    reason="the build of the community edition has one connection at a time",
)
#: A whole hour, recent enough for every period.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


@pytest.fixture
def analytics_url(database: str) -> str:
    """Where the time-series tables live: the truth's database, or the TimescaleDB that the run is about."""
    return os.environ.get("STUNITY_TEST_TIMESCALE_URL") or database


@pytest.fixture
async def truth(database: str) -> AsyncIterator[Pool]:
    """The truth, with one school, three people and three posts."""
    with psycopg.connect(database) as conn:
        conn.execute(
            "INSERT INTO schools (id, name, slug, email, \"updatedAt\") VALUES ('s1', 'S', 's', 's@x', now())"
        )
        for user in ("u1", "u2", "u3"):
            conn.execute(
                'INSERT INTO users (id, "schoolId", password, "firstName", "lastName", "updatedAt")'
                " VALUES (%s, 's1', 'x', 'A', 'B', now())",
                (user,),
            )
        for post in ("p1", "p2", "p3"):
            conn.execute(
                'INSERT INTO posts (id, "authorId", "schoolId", content, "updatedAt") VALUES (%s, %s, %s, %s, now())',
                (post, "u1", "s1", "text"),
            )
    async with open_pool(database) as pool:
        yield pool


@pytest.fixture
async def analytics(analytics_url: str) -> AsyncIterator[Pool]:
    """The time-series database, without our schema at first."""
    with psycopg.connect(analytics_url, autocommit=True) as conn:
        conn.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
    async with open_pool(analytics_url, max_size=1) as pool:
        yield pool


@pytest.fixture
async def projection(analytics: Pool, truth: Pool) -> AnalyticsProjection:
    """The projection, ready."""
    made = AnalyticsProjection(AnalyticsStore(analytics, truth, SMALL))
    await made.prepare()
    await made.apply(batch(refill=True))
    return made


def event(kind: str, key: str = "p1", /, **data: Any) -> Event:
    """An event of the log about a post."""
    return Event(1, 1, datetime.now(UTC), kind.split(".")[0], f"{kind}.v1", key, data)


def view(
    fact_id: str, post: str = "p1", *, user: str | None = "u1", at: datetime = HOUR, **data: Any
) -> Event:
    """Somebody looked at a post."""
    return event("post.viewed", post, id=fact_id, userId=user, at=at.isoformat(), source="feed", **data)


def batch(*events: Event, generation: int = 1, checkpoint: str = "c", refill: bool = False) -> Batch:
    """These events as the runner would hand them over."""
    return Batch(list(events), checkpoint, generation, refill)
