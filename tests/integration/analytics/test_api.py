"""HTTP of analytics: who may ask what, the same answer from the view and from the truth, and pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from consumers.analytics.api import router
from consumers.analytics.insights import Trend
from consumers.analytics.projection import AnalyticsProjection
from consumers.analytics.series import Bucket, Period, Window, window
from consumers.analytics.trends import Trends
from consumers.analytics.view_many import ManyPostsView
from consumers.engine.checkpoint import Checkpoint, save_copy
from runtime.auth import issue
from runtime.http import install_error_handlers
from runtime.postgres import Pool
from runtime.settings import Settings
from schemas.snapshot import Snapshot
from tests.integration.analytics.conftest import HOUR, batch, event, view
from tests.support.wait import until

SECRET = "analytics-tests-analytics-tests-analytics"
Ask = Callable[..., Awaitable[httpx.Response]]
PATHS = ("/posts/p1/analytics", "/analytics/insights", "/schools/s1/activity", "/schools/s1/activity/heatmap")


@pytest.fixture
def people(truth: Pool, database: str) -> None:
    """u1 wrote everything; a head and a pupil of the same school, a head of another one, and the platform's."""
    with psycopg.connect(database) as conn:
        conn.execute(
            "INSERT INTO schools (id, name, slug, email, \"updatedAt\") VALUES ('s2', 'T', 't', 't@x', now())"
        )
        for user, school, role in (
            ("head", "s1", "PRINCIPAL"),
            ("teacher", "s1", "TEACHER"),
            ("pupil", "s1", "STUDENT"),
            ("other", "s2", "PRINCIPAL"),
            ("super", None, "SUPER_ADMIN"),
        ):
            conn.execute(
                'INSERT INTO users (id, "schoolId", password, "firstName", "lastName", role, "updatedAt")'
                " VALUES (%s, %s, 'x', 'A', 'B', %s::\"UserRole\", now())",
                (user, school, role),
            )
        conn.execute("UPDATE users SET role = 'STUDENT' WHERE id = 'u1'")


@pytest.fixture
async def ask(database: str, truth: Pool, people: None) -> AsyncIterator[Ask]:
    """A request by somebody."""
    app = FastAPI()
    app.state.settings = Settings(_env_file=None, database_url=database, jwt_secret=SecretStr(SECRET))
    app.state.pool = truth
    app.state.redis = None
    install_error_handlers(app)
    app.include_router(router)
    with psycopg.connect(database) as conn:
        users = {row[0]: row[1:] for row in conn.execute('SELECT id, role::text, "schoolId" FROM users')}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def send(user: str, path: str, accept: str = "*/*", **params: Any) -> httpx.Response:
            role, school = users[user]
            token = issue(SECRET, user=user, role=role, school_id=school)
            headers = {"Authorization": f"Bearer {token}", "Accept": accept}
            return await client.get(path, params=params, headers=headers)

        yield send


async def write(database: str, projection: AnalyticsProjection, truth: Pool) -> None:
    """Views and reactions, in the truth and in the view; from here on the view is live."""
    events, rows = [], []
    for number in range(40):
        post, user = f"p{number % 3 + 1}", f"u{number % 2 + 1}"
        at = HOUR - timedelta(hours=number * 5)
        rows.append((f"v{number}", post, user, at.replace(tzinfo=None)))
        events.append(view(f"v{number}", post, user=user, at=at, duration=number))
    like = {"id": "l1", "userId": "u2", "at": HOUR.isoformat()}
    with psycopg.connect(database) as conn:
        conn.cursor().executemany(
            'INSERT INTO post_views (id, "postId", "userId", "viewedAt", source, duration)'
            " VALUES (%s, %s, %s, %s, 'feed', substring(%s FROM 2)::int)",
            [(*row, row[0]) for row in rows],
        )
        conn.execute(
            "INSERT INTO likes (id, \"postId\", \"userId\", \"createdAt\") VALUES ('l1', 'p2', 'u2', %s)",
            (HOUR.replace(tzinfo=None),),
        )
    posts = [
        event("post.created", post, authorId="u1", createdAt=HOUR.isoformat()) for post in ("p1", "p2", "p3")
    ]
    with psycopg.connect(database) as conn:
        conn.execute('UPDATE posts SET "createdAt" = %s', (HOUR.replace(tzinfo=None),))
    await projection.apply(batch(*events, event("like.created", "p2", **like), *posts))


async def go_live(truth: Pool, ask: Ask) -> None:
    """What the engine writes when the view has been filled; readers hear of it within a moment."""
    checkpoint = Checkpoint("life", 0, Snapshot.parse("3:3:"), 0, fill=0)
    async with truth.connection() as conn:
        await save_copy(conn, "analytics", AnalyticsProjection.topics, 1, checkpoint)

    async def answers() -> bool:
        return (await ask("u1", "/analytics/insights")).headers["Stunity-Source"] == "timescale"

    await until(answers)


async def test_only_the_author_and_heads_see_a_posts_numbers(ask: Ask) -> None:
    for user, status in (
        ("u1", 200), ("head", 200), ("super", 200), ("teacher", 403), ("pupil", 403), ("other", 404)
    ):  # fmt: skip
        assert (await ask(user, "/posts/p1/analytics")).status_code == status, user


@pytest.mark.parametrize("path", PATHS[2:])
async def test_only_the_schools_own_staff_sees_its_activity(ask: Ask, path: str) -> None:
    for user, status in (
        ("head", 200), ("teacher", 200), ("super", 200), ("pupil", 403), ("other", 403), ("u1", 403)
    ):  # fmt: skip
        assert (await ask(user, path)).status_code == status, user


async def test_view_and_truth_give_the_same_answers(
    ask: Ask, projection: AnalyticsProjection, truth: Pool, database: str
) -> None:
    await write(database, projection, truth)
    asked = [(path, period) for path in PATHS for period in ("7d", "30d", "90d")]
    asked += [("/analytics/trending", period) for period in ("24h", "7d", "30d")]

    async def answers(source: str) -> list[Any]:
        found = []
        for path, period in asked:
            answer = await ask("u1" if "s1" not in path else "head", path, period=period)
            assert answer.headers["Stunity-Source"] == source, answer.text
            found.append(answer.json()["data"])
        return found

    expected = await answers("postgres")
    await go_live(truth, ask)
    assert await answers("timescale") == expected
    insights = expected[asked.index(("/analytics/insights", "90d"))]
    assert (insights["totalViews"], insights["uniqueViewers"], insights["likes"], insights["posts"]) == (
        40,
        2,
        1,
        3,
    )
    assert [post["postId"] for post in insights["topPosts"]] == ["p1", "p2", "p3"]
    assert sum(point["views"] for point in insights["series"]) == 40


async def test_trending_shows_what_the_viewer_may_see(
    ask: Ask, projection: AnalyticsProjection, truth: Pool, database: str
) -> None:
    await write(database, projection, truth)
    with psycopg.connect(database) as conn:
        conn.execute("UPDATE posts SET visibility = 'PUBLIC' WHERE id = 'p2'")
        conn.execute("UPDATE posts SET visibility = 'PRIVATE' WHERE id = 'p3'")
    for live in (False, True):
        if live:
            await go_live(truth, ask)
        for user, posts in (("pupil", ["p2", "p1"]), ("other", ["p2"]), ("u1", ["p2", "p1", "p3"])):
            answer = await ask(user, "/analytics/trending", period="30d")
            assert [trend["postId"] for trend in answer.json()["data"]] == posts, (user, live)
    [first] = (await ask("pupil", "/analytics/trending", period="30d", limit=1)).json()["data"]
    assert (first["views"], first["likes"], first["score"]) == (13, 1, 16)


async def test_trending_is_summed_once_for_all_who_ask(
    projection: AnalyticsProjection, truth: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(database, projection, truth)
    counting = ManyPostsView(truth)
    asked, now = 0, 0.0

    async def counted(grid: Window, most: int) -> list[Trend]:
        nonlocal asked, now
        asked, now = asked + 1, now + 1.0  # summing takes a second: its sums are kept for ten
        return await ManyPostsView(truth).trending(grid, most)

    monkeypatch.setattr(counting, "trending", counted)
    monkeypatch.setattr("consumers.analytics.trends.monotonic", lambda: now)
    trends = Trends(counting)
    grid = window(Period.MONTH, Bucket.DAY, datetime.now(UTC))
    answers = await asyncio.gather(*(trends.best(grid, 400) for _ in range(5)))
    assert asked == 1
    assert all(answer == answers[0] and answer for answer in answers)
    await trends.best(grid, 1600)
    await trends.best(grid, 400, anew=True)
    assert asked == 3
    now += 9.0
    await trends.best(grid, 400)
    assert asked == 3
    now += 2.0
    await trends.best(grid, 400)
    assert asked == 4


@pytest.mark.parametrize("path", PATHS)
async def test_a_picture_for_who_would_rather_look(
    ask: Ask, projection: AnalyticsProjection, truth: Pool, database: str, path: str
) -> None:
    await write(database, projection, truth)
    answer = await ask("u1" if "s1" not in path else "head", path, "image/svg+xml", period="7d")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Stunity-Source"] == "postgres"
    drawn = ElementTree.fromstring(answer.text)
    assert len(drawn.findall("{http://www.w3.org/2000/svg}rect")) >= 8
