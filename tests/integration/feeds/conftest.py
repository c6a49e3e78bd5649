"""The feeds API over real stores, on a network of two schools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from consumers.feeds.api import router
from consumers.feeds.projection import FeedsProjection
from consumers.feeds.store import FeedStore
from runtime.http import install_error_handlers
from runtime.postgres import Pool, open_pool
from runtime.redis import Client, open_client
from runtime.settings import Settings
from tests.integration.feeds.network import Network

SECRET = "feeds-tests-feeds-tests-feeds-tests-feeds"

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with open_pool(database, max_size=4) as opened:
        yield opened


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    async with open_client(redis_url) as opened:
        yield opened


@pytest.fixture
async def projection(pool: Pool, client: Client) -> FeedsProjection:
    made = FeedsProjection(FeedStore(client, "stunity"), pool)
    await made.prepare()
    return made


@pytest.fixture
async def network(database: str, projection: FeedsProjection) -> AsyncIterator[Network]:
    """Two schools; ada, bo, cy and dee in the first, zoe in the second. Nothing posted yet."""
    made = Network(database, projection, SECRET)
    made.school("s1", "s2")
    made.user("ada", "bo", "cy", "dee")
    made.user("zoe", school="s2")
    await made.sync()
    yield made
    made.conn.close()


def make_app(database: str, pool: Pool, client: Client | None) -> FastAPI:
    app = FastAPI()
    app.state.settings = Settings(_env_file=None, database_url=database, jwt_secret=SecretStr(SECRET))
    app.state.pool = pool
    app.state.redis = client
    install_error_handlers(app)
    app.include_router(router)
    return app


@pytest.fixture
async def api(database: str, pool: Pool, client: Client) -> AsyncIterator[httpx.AsyncClient]:
    """The API with Redis."""
    transport = httpx.ASGITransport(make_app(database, pool, client))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.fixture
async def bare_api(database: str, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The API with nothing but PostgreSQL."""
    transport = httpx.ASGITransport(make_app(database, pool, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.fixture
def feed(api: httpx.AsyncClient, network: Network) -> Ask:
    """A page of somebody's feed from the view."""
    return asking(api, network, "redis")


@pytest.fixture
def bare_feed(bare_api: httpx.AsyncClient, network: Network) -> Ask:
    """The same from PostgreSQL."""
    return asking(bare_api, network, "postgres")


def asking(api: httpx.AsyncClient, network: Network, source: str) -> Ask:
    async def ask(
        user: str, *, etag: str | None = None, source: str | None = source, **query: Any
    ) -> httpx.Response:
        headers = network.headers(user) | ({"If-None-Match": etag} if etag else {})
        response = await api.get("/feed", params=query, headers=headers)
        assert response.status_code in (200, 304), response.text
        if source:
            assert response.headers["Stunity-Source"] == source
        return response

    return ask


def ids(response: httpx.Response) -> list[str]:
    """The posts of a page."""
    return [item["data"]["id"] for item in response.json()["data"]]
