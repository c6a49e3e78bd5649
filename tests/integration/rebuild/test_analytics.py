"""Rebuilding the time series while facts come and numbers are read: from the truth, and from the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from consumers.analytics import api
from consumers.engine.rebuild.steps import Step
from runtime.auth import issue
from runtime.http import install_error_handlers
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open, World
from tests.support.network import Network
from tests.support.wait import ended, until

_VIEW = """
INSERT INTO post_views (id, "postId", "userId", source, duration, "viewedAt")
VALUES (%s, %s, %s, 'feed', 10, timezone('UTC', now()))
"""
_numbers = count(1)


def look(conn: psycopg.Connection, post: str, viewer: str = "anna") -> None:
    conn.execute(_VIEW, (f"v{next(_numbers)}", post, viewer))


@pytest.fixture
def network(connection: psycopg.Connection) -> Network:
    """Posts that have been looked at."""
    connection.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
    made = Network(connection)
    made.school("north")
    made.user("teacher", "north", role="TEACHER")
    made.user("anna", "north")
    made.user("borey", "north")
    for number in range(20):
        made.post("teacher", "fern", "north", id=f"post{number:04}")
        for viewer in ("anna", "borey", "teacher"):
            look(connection, f"post{number:04}", viewer)
    return made


@pytest.fixture(autouse=True)
def _dashboards(connection: psycopg.Connection) -> Iterator[None]:
    """Somebody who was given the tables to read."""
    connection.execute("CREATE ROLE dashboards NOLOGIN")
    yield
    connection.execute("DROP OWNED BY dashboards")
    connection.execute("DROP ROLE dashboards")


@pytest.fixture
async def http(settings: Settings, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The analytics of the teacher's posts, as the teacher gets them."""
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(api.router)
    assert settings.jwt_secret is not None
    token = issue(settings.jwt_secret.get_secret_value(), user="teacher", role="TEACHER", school_id="north")
    app.state.settings, app.state.pool, app.state.analytics_pool = settings, pool, pool
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"Authorization": f"Bearer {token}"},
    ) as opened:
        yield opened


async def views(http: httpx.AsyncClient, post: str) -> tuple[str, int, int]:
    answer = await http.get(f"/posts/{post}/analytics", params={"period": "7d"})
    assert answer.status_code == 200, answer.text
    data = answer.json().get("data", answer.json())
    return answer.headers["stunity-source"], data["totalViews"], data["uniqueViewers"]


class Reader:
    """Asks for numbers that only grow, without a pause."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.reads = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        most = 0
        while True:
            source, total, people = await views(self._http, "post0000")
            if source == "postgres" or total < most or people != 3:
                self.wrong.append(f"{source}: {total} views after {most}, {people} people")
            most = max(most, total)
            self.reads += 1


@pytest.mark.parametrize("source", ["truth", "log"])
async def test_readers_notice_nothing(
    source: str, world: Open, http: httpx.AsyncClient, network: Network, connection: psycopg.Connection
) -> None:
    async with world("analytics") as analytics, analytics.consumed():

        async def kept() -> bool:
            return (await views(http, "post0000"))[0] != "postgres"

        await until(kept, 20)
        connection.execute("GRANT USAGE ON SCHEMA analytics TO dashboards")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO dashboards")
        reader = Reader(http)
        reading = asyncio.create_task(reader.run())
        written = 3

        def write(step: Step) -> None:
            """Somebody looks at every step of the rebuild."""
            nonlocal written
            look(connection, "post0000")
            written += 1

        try:
            row = await (await analytics.rebuilding(write)).rebuild("log" if source == "log" else "truth")
            assert row.state == "kept"
            assert may_read(connection)
            await has(http, written)
            look(connection, "post0000")
            await has(http, written + 1)
            assert (await analytics.differences()).equal
            assert await (await analytics.rebuilding()).rollback() is not None
            await has(http, written + 1)
            look(connection, "post0000")
            await has(http, written + 2)
            assert (await analytics.differences()).equal
        finally:
            await ended(reading)
        assert reader.wrong == []
        assert reader.reads > 20
        connection.execute("UPDATE engine.rebuilds SET keep_until = now()")
        await until_dropped(analytics, connection)


def may_read(conn: psycopg.Connection) -> bool:
    row = conn.execute(
        "SELECT has_schema_privilege('dashboards', 'analytics', 'USAGE'),"
        " has_table_privilege('dashboards', 'analytics.post_views_hourly', 'SELECT')"
    ).fetchone()
    return row == (True, True)


async def has(http: httpx.AsyncClient, total: int) -> None:
    async def counted() -> bool:
        return (await views(http, "post0000"))[1:] == (total, 3)

    await until(counted, 10, what=f"{total} views")


async def until_dropped(world: World, conn: psycopg.Connection) -> None:
    async def dropped() -> bool:
        await world.sweep()
        rows = conn.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'analytics%'").fetchall()
        return rows == [("analytics",)]

    await until(dropped, 10)
